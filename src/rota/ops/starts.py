"""Starting a task by asking for it."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from rota.core.actor import OPERATOR, Actor
from rota.core.errors import Conflict, Forbidden, Invalid, NotFound, Problem, RotaError
from rota.core.inputs import resolve
from rota.core.run import Run, Trigger
from rota.core.task import Task
from rota.ops import access, audit, reading
from rota.ops.context import Rota
from rota.ops.modules import check_given
from rota.store import idempotency, runs, tasks
from rota.store.database import Connection
from rota.store.runs import NewRun

LONGEST_KEY = 255
CANONICAL = msgspec.json.Encoder(order="deterministic")
# What is written with a run in the transaction that writes it; what it raises undoes both.
Beside = Callable[[Connection, Run], object]


def nothing_beside(_c: Connection, _run: Run) -> None:
    """Of a run that stands for itself."""


class Start(NamedTuple):
    """`replayed`: the run was started by an earlier request with the same idempotency key."""

    run: Run
    replayed: bool


class Asked(NamedTuple):
    """One request. `key` makes it one with its repetitions."""

    rota: Rota
    actor: Actor
    reference: str
    params: dict[str, Any]
    at: datetime
    key: str | None
    beside: Beside

    @property
    def stands_alone(self) -> bool:
        """Whether something of its own is written with it."""
        return self.key is not None or self.beside is not nothing_beside


Started = tuple[Start, Task]


async def start_task(
    rota: Rota,
    actor: Actor,
    reference: str,
    params: dict[str, Any],
    *,
    idempotency_key: str | None = None,
    beside: Beside = nothing_beside,
) -> Start:
    """Make a run of a task; it starts as soon as its policy lets it.

    params           over the task's own defaults; what its `inputs` or its module do not allow is Invalid at `body.params.<key>`
    idempotency_key  the same key with the same request answers the same run; with another one it is a Conflict
    beside           writes what a surface keeps with the run, in the same transaction

    Raises NotFound; Conflict for a task that is paused, canceled or a service; Forbidden if it may not be started by hand.
    """
    _check_key(idempotency_key)
    asked = Asked(rota, actor, reference, params, rota.clock.now(), idempotency_key, beside)
    # Woken before the write is sent, it sends its own right behind: both are one transaction, and one flush of the disk.
    rota.bus.wake("dispatcher")
    if asked.stands_alone:
        start, task = await rota.database.write(lambda c: _start_one(c, asked))
    else:
        start, task = await rota.database.write_part(_start_all, asked)
    if not start.replayed:
        rota.tell_run("run.created", start.run, task)
    return start


def _start_one(c: Connection, asked: Asked) -> Started:
    rota, actor = asked.rota, asked.actor
    task, new = _new_run(c, asked)
    earlier = _claim(c, actor, asked.key, task, asked.params, new.run.id, asked.at)
    if earlier is not None:
        return Start(earlier, True), task
    _check_allowed(rota, task, new)
    runs.insert_runs(c, [new])
    asked.beside(c, new.run)
    audit.note(c, rota, actor, "task.run_now", task.id, run_id=new.run.id)
    return Start(new.run, False), task


def _start_all(c: Connection, all_asked: Sequence[Asked]) -> list[Started | RotaError]:
    """Many at once: looked up together, judged one by one, written together."""
    found = tasks.get_tasks(c, {asked.reference for asked in all_asked})
    judged = [_judge(c, asked, found.get(asked.reference)) for asked in all_asked]
    made = [(asked, *each) for asked, each in zip(all_asked, judged, strict=True) if not isinstance(each, RotaError)]
    runs.insert_runs(c, [new for _, _, new in made])
    audit.note_all(
        c,
        [audit.entry_of(asked.rota, asked.actor, "task.run_now", task.id, run_id=new.run.id) for asked, task, new in made],
    )
    return [each if isinstance(each, RotaError) else (Start(each[1].run, False), each[0]) for each in judged]


def _judge(c: Connection, asked: Asked, found: Task | None) -> tuple[Task, NewRun] | RotaError:
    try:
        task, new = _new_run(c, asked, found)
        _check_allowed(asked.rota, task, new)
    except RotaError as error:
        return error
    return task, new


def _new_run(c: Connection, asked: Asked, found: Task | None = None) -> tuple[Task, NewRun]:
    """Raises NotFound, and Invalid for params that the task's inputs do not allow."""
    actor = asked.actor
    task = access.get_usable_task(c, actor, asked.reference, found)
    trigger: Trigger = "cli" if actor.id == OPERATOR.id else "api"
    given, owner_id = params_of(task, asked.params), access.owner_of_run(actor, task)
    new = NewRun.of(task, asked.rota.ids.new(), trigger, asked.at, params=given, actor_id=actor.id, owner_id=owner_id)
    return task, new


def _check_allowed(rota: Rota, task: Task, new: NewRun) -> None:
    check_startable(task)
    check_given(rota.modules, task, new.run.params)


def params_of(task: Task, given: dict[str, Any]) -> dict[str, Any]:
    """What takes effect: the task's params, over them what is given, held to `inputs` where there are any."""
    overlaid = {**task.spec.params, **given}
    if task.spec.inputs is None:
        return overlaid
    try:
        return dict(resolve(task.spec.inputs, overlaid))
    except Invalid as error:
        raise Invalid(
            error.message, [Problem(f"body.{problem.location}", problem.message) for problem in error.problems]
        ) from None


def check_startable(task: Task) -> None:
    """Raises Conflict, and Forbidden for one that may not be started by hand."""
    if task.is_service:
        raise Conflict(f"{task.name} is a service: it is kept running by itself", hint="resume it if it is paused")
    if task.status != "active":
        raise Conflict(f"the task {task.name} is {task.status}", hint="resume it first" if task.status == "paused" else None)
    if not task.spec.api_trigger:
        raise Forbidden(f"the task {task.name} may not be started by hand", hint="api_trigger is false in its document")


def _check_key(key: str | None) -> None:
    if key is not None and not (1 <= len(key) <= LONGEST_KEY and key.isprintable()):
        message = f"must have from 1 to {LONGEST_KEY} printable characters"
        raise Invalid.at("header.Idempotency-Key", message, reading.shown(key))


def _claim(
    c: Connection, actor: Actor, key: str | None, task: Task, given: dict[str, Any], run_id: str, now: datetime
) -> Run | None:
    if key is None:
        return None
    asked = hashlib.sha256(CANONICAL.encode(["run", task.id, given])).hexdigest()
    earlier_id = idempotency.claim_key(c, actor.id, key, asked, run_id, now)
    try:
        return runs.get_run(c, earlier_id) if earlier_id else None
    except NotFound:
        raise Conflict("the run that was started with this idempotency key is no longer kept", hint="use a new key") from None

"""What a run asks of Rota itself, with the rights of its task's owner: tools come here."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid5

from rota.core.actor import OPERATOR, Actor
from rota.core.errors import Forbidden, Invalid, RotaError
from rota.core.event import Event, refusal
from rota.core.run import Run
from rota.core.states import LIVE, SUCCESSES
from rota.core.task import Task
from rota.ops import access, starts
from rota.ops import runs as run_ops
from rota.ops.context import Rota
from rota.ops.events import check_topic
from rota.store import events, fanout, idempotency, runs, tasks, users
from rota.store.database import Connection
from rota.store.runs import NewRun
from rota.tools import ToolFault

FOR_EVER_S = 1e9


class Within:
    """The `tools.Platform` of a server. What is asked twice with one key is done once."""

    def __init__(self, rota: Rota) -> None:
        self._rota = rota

    async def start_task(self, run: Run, owner_id: str | None, reference: str, params: dict[str, Any], key: str) -> Run:
        """A run of another task. Asked again it is the same run, unless that has failed meanwhile: then a new one."""
        rota, now = self._rota, self._rota.clock.now()

        def write(c: Connection) -> tuple[Run, Task | None]:
            actor = _owner(c, owner_id)
            task = access.get_usable_task(c, actor, reference)
            starts.check_startable(task)
            given = starts.params_of(task, params)
            new = NewRun.of(
                task, rota.ids.new(), "task", now, params=given, cause_run_id=run.id, depth=run.depth + 1, actor_id=run.actor_id,
                owner_id=access.owner_of_run(actor, task),
            )  # fmt: skip
            earlier = _find_earlier(c, run, task, key, new.run.id, now)
            if earlier is not None:
                return earlier, None
            _check_chain(c, run, task)
            runs.insert_runs(c, [new])
            return new.run, task

        with _as_fault():
            rota.bus.wake("dispatcher")
            started, task = await rota.database.write(write)
        if task is not None:
            rota.tell_run("run.created", started, task)
        return started

    async def wait_run(self, owner_id: str | None, run_id: str) -> Run:
        with _as_fault():
            actor = await self._rota.database.read(lambda c: _owner(c, owner_id))
            return await run_ops.wait_run(self._rota, actor, run_id, FOR_EVER_S)

    async def stop_run(self, owner_id: str | None, run_id: str) -> None:
        with _as_fault():
            actor = await self._rota.database.read(lambda c: _owner(c, owner_id))
            await run_ops.cancel_run(self._rota, actor, run_id)

    async def publish(self, run: Run, topic: str, payload: dict[str, Any], key: str) -> dict[str, Any]:
        """An event whose cause is the run."""
        rota, now = self._rota, self._rota.clock.now()
        event = Event(
            id=str(uuid5(UUID(run.id), key)), topic=topic, payload=payload, at=now, actor_id=run.actor_id, cause_run_id=run.id,
            depth=run.depth + 1,
        )  # fmt: skip

        def write(c: Connection) -> list[tuple[Run, Task]]:
            if events.has_event(c, event.id):
                return []
            check_topic(_owner(c, run.owner_id), topic)
            started = [new.run for new in fanout.publish(c, event, rota.ids, now)]
            listeners = tasks.get_tasks(c, [each.task_id for each in started]) if started else {}
            return [(each, listeners[each.task_id]) for each in started]

        with _as_fault():
            started = await rota.database.write(write)
        rota.bus.wake("dispatcher")
        for each, task in started:
            rota.tell_run("run.created", each, task)
        return {"event_id": event.id, "topic": topic, "started": len(started)}


def _owner(c: Connection, owner_id: str | None) -> Actor:
    """Whom a run acts for; the installation's tasks act for the operator."""
    if owner_id is None:
        return OPERATOR
    user = users.find_user(c, owner_id)
    if user is None:
        raise Forbidden("the owner of this task is not there any more")
    return user.actor


def _find_earlier(c: Connection, run: Run, task: Task, key: str, new_id: str, now: datetime) -> Run | None:
    """The run that this very call has started before; None if it is to start one now."""
    for number in count(1):
        earlier_id = idempotency.claim_key(c, f"run:{run.id}", f"{key}.{number}", task.id, new_id, now)
        if earlier_id is None:
            return None
        earlier = runs.find_run(c, earlier_id)
        if earlier is not None and earlier.state in LIVE | SUCCESSES:
            return earlier
    raise AssertionError("there is always a next number")


def _check_chain(c: Connection, run: Run, task: Task) -> None:
    """What started this run, directly or through others, may wait for it: it would wait for ever."""
    ancestors = events.causes(c, run.id)
    if refusal(task.id, run.depth + 1, ancestors):
        raise Invalid(f"{task.name} would be started by itself, or by too long a chain of runs")
    held = {each.spec.policy.concurrency_key for each in tasks.get_tasks(c, ancestors).values()}
    if task.spec.policy.concurrency_key in held - {None}:
        raise Invalid(f"{task.name} has the concurrency key of a run that started it, and would wait for ever")


@contextmanager
def _as_fault() -> Iterator[None]:
    try:
        yield
    except Forbidden as error:
        raise ToolFault(error.message, "PermissionDenied") from None
    except Invalid as error:
        raise ToolFault(error.message, "InputValidationError") from None
    except RotaError as error:
        raise ToolFault(error.message) from None

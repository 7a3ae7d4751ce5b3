"""Changing tasks of modules by number: create, change, delete, cancel what runs."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from rota.core.actor import Actor
from rota.core.errors import Conflict, Invalid
from rota.core.run import Run
from rota.core.task import Status, Task, TaskSpec
from rota.ops import audit, ends, hiddenparams, moduletasks
from rota.ops import tasks as task_ops
from rota.ops.beginning import Beginning
from rota.ops.context import Rota
from rota.ops.moduletasks import Shown
from rota.ops.steering import STEERS
from rota.store import latest, numbered, runs, tasks
from rota.store.database import Connection
from rota.store.numbered import Numbered
from rota.store.runs import NewRun


class OtherVersion(Conflict):
    """A change was made from a version that is not the present one. `given` None: it did not say from which."""

    def __init__(self, number: int, expected: int, given: int | None) -> None:
        super().__init__(f"version {expected} of task {number} comes next, not {given}", hint="read it again")
        self.number = number
        self.expected = expected
        self.given = given


class Change(Struct, frozen=True, kw_only=True):
    """What is to change. `document` is a merge patch without the schedule; UNSET leaves things as they are."""

    document: dict[str, Any]
    beginning: Beginning | UnsetType = UNSET
    frontend_prefs: dict[str, Any] | UnsetType = UNSET


# What is to change of a task, as it is when the change is made. What it raises leaves everything as it is.
ReadChange = Callable[[Shown, datetime], Change]


async def create_task(rota: Rota, actor: Actor, spec: TaskSpec, beginning: Beginning, frontend_prefs: dict[str, Any]) -> Shown:
    """Answers it as it was stored, before anything of it can have started. Raises as tasks.create_task, and Forbidden without
    `system.task`.
    """
    actor.require("system.task")
    _check_whole(rota, msgspec.to_builtins(spec.executor))
    stored: list[Shown] = []
    started: list[Run] = []

    def beside(c: Connection, task: Task) -> None:
        found = _number_of(c, task)
        numbered.set_prefs(c, found.number, frontend_prefs)
        started[:] = _follow(c, rota, actor, task, beginning)
        stored[:] = [moduletasks.show(c, rota, numbered.get_numbered(c, found.number))]

    spec = msgspec.structs.replace(spec, schedule=beginning.schedule)
    task = await task_ops.create_task(rota, actor, spec, beside=beside)
    _tell_started(rota, task, started)
    return stored[0]


async def change_task(rota: Rota, actor: Actor, number: int, version: int | None, read: ReadChange) -> Shown:
    """Change a task that does not run, whoever's it is; `version` is the one that the change makes.

    Who may change it and not read it is not shown its secrets, and does not change them by sending back what was shown.
    Raises Forbidden without `system.task`, NotFound, Conflict while it runs, OtherVersion, what `read` raises, and as
    tasks.update_task.
    """
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Shown, list[Run], list[Run]]:
        before = moduletasks.show(c, rota, moduletasks.find(c, actor, number, "any"))
        _check_idle(before)
        if version != before.task.version + 1:
            raise OtherVersion(number, before.task.version + 1, version)
        change = read(before, now)
        hiddenparams.keep_hidden(rota, actor, before, change.document)
        dropped, started = _change(c, rota, actor, before, change, now)
        after = moduletasks.show(c, rota, numbered.get_numbered(c, number))
        return hiddenparams.hide(rota, actor, after), dropped, started

    shown, dropped, started = await rota.database.write(write)
    rota.bus.wake("scheduler")
    ends.tell(rota, shown.task, dropped)
    rota.tell_task("task.changed", shown.task)
    _tell_started(rota, shown.task, started)
    return shown


async def delete_task(rota: Rota, actor: Actor, number: int) -> None:
    """With its runs. Raises Forbidden also for another's task, NotFound, and Conflict while it runs."""

    def find_idle(c: Connection, actor: Actor, _reference: str) -> Task:
        shown = moduletasks.show(c, rota, moduletasks.find(c, actor, number, "ruled"))
        _check_idle(shown)
        return shown.task

    await task_ops.delete_task(rota, actor, str(number), with_runs=True, find=find_idle)


async def cancel_run(rota: Rota, actor: Actor, number: int) -> None:
    """Ask what runs to end; that is a change of the task, and it makes a version. Asked again it is none.

    Raises Forbidden also for another's task, NotFound, and Conflict if nothing runs.
    """
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Task, list[Run]]:
        task_id = moduletasks.find(c, actor, number, "ruled").task_id
        last, task = latest.find_latest(c, task_id), tasks.get_task(c, task_id)
        if last.run is None or not last.is_live:
            raise Conflict(f"task {number} is not running")
        if last.stop_asked_at is not None:
            return task, []
        asked = runs.request_stop(c, last.run.id, "cancel", now)
        ended = [asked] if asked is not None and asked.ended_at is not None else []
        ends.publish(c, rota, task, ended, now)
        audit.note(c, rota, actor, "run.canceled", last.run.id, task_id=task_id)
        return tasks.raise_version(c, task_id, now), ended

    task, ended = await rota.database.write(write)
    ends.tell(rota, task, ended)
    rota.bus.wake("dispatcher")
    rota.tell_task("task.changed", task)


def _change(c: Connection, rota: Rota, actor: Actor, before: Shown, change: Change, now: datetime) -> tuple[list[Run], list[Run]]:
    """The runs that were dropped, and that were started."""
    task, document = before.task, change.document
    task_ops.check_changeable(task)
    if not isinstance(change.beginning, UnsetType):
        schedule = change.beginning.schedule
        document = {**document, "schedule": None if schedule is None else msgspec.to_builtins(schedule)}
    if "executor" in document:
        _check_whole(rota, document["executor"])
    task = task_ops.change_document(c, rota, actor, task, document, now)
    dropped, started = list[Run](), list[Run]()
    if not isinstance(change.beginning, UnsetType):
        dropped = task_ops.drop_waiting(c, rota, task, "replaced", now)
        started = _follow(c, rota, actor, task, change.beginning)
    if not isinstance(change.frontend_prefs, UnsetType):
        numbered.set_prefs(c, before.number, change.frontend_prefs)
    audit.note(c, rota, actor, "task.updated", task.id, fields=list(document), version=task.version)
    return dropped, started


def _follow(c: Connection, rota: Rota, actor: Actor, task: Task, beginning: Beginning) -> list[Run]:
    """Park a task, or let it go on; answers the run that starts at once, if there is one."""
    now = rota.clock.now()
    wanted: Status = "paused" if beginning.is_parked else "active"
    if task.status != wanted:
        STEERS[wanted](c, rota, task, now)
    if beginning.start_at is None:
        return []
    new = NewRun.of(task, rota.ids.new(), "api", now, due_at=beginning.start_at, actor_id=actor.id)
    runs.insert_runs(c, [new])
    return [new.run]


def _check_whole(rota: Rota, executor: dict[str, Any]) -> None:
    """Runs are given no params of their own here, so nothing may be missing. Raises Invalid at `body.executor.params.<name>`."""
    problems = rota.modules.check(executor["module"], executor.get("params", {}), "body.executor.params")
    if problems:
        raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)


def _check_idle(shown: Shown) -> None:
    if shown.latest.is_live:
        raise Conflict(f"task {shown.number} is running", hint="cancel it first")


def _number_of(c: Connection, task: Task) -> Numbered:
    found = numbered.find_number_of(c, task.id)
    assert found is not None  # noqa: S101  a user's task of a module has one from its first moment
    return found


def _tell_started(rota: Rota, task: Task, started: list[Run]) -> None:
    if started:
        rota.bus.wake("dispatcher")
    for run in started:
        rota.tell_run("run.created", run, task)

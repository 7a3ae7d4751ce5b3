"""Tasks: create, get, list, change, delete."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from rota.core.actor import Actor
from rota.core.errors import Conflict, NotFound
from rota.core.outcome import StopCause
from rota.core.run import Run
from rota.core.states import Reason
from rota.core.task import Task, TaskSpec
from rota.ops import access, audit, documents, ends
from rota.ops.context import Rota
from rota.ops.modules import keep_hidden
from rota.ops.single import check_single
from rota.store import admission, deletion, outbox, projecttasks, runs, tasks, users
from rota.store.audit import Entry
from rota.store.database import Connection

MOST_LIVE = 20_000
MOST_LISTED = 20_000
# What is woken when something is not to be told any more, though it may be on its way.
RECALL = ("recall", "notifier")
# What is written with a task in the transaction that writes it; what it raises undoes both.
Beside = Callable[[Connection, Task], object]
# Which task a reference means to an actor, if it may be changed.
Find = Callable[[Connection, Actor, str], Task]


def nothing_beside(_c: Connection, _task: Task) -> None:
    """Of a task that stands for itself."""


class Made(NamedTuple):
    """A task that somebody has made, not stored yet."""

    rota: Rota
    actor: Actor
    task: Task

    @property
    def stands_for_itself(self) -> bool:
        """Whether nothing but its name is compared with other tasks."""
        return not self.task.spec.shared and self.task.spec.policy.dedupe_key is None

    def line(self) -> Entry:
        spec = self.task.spec
        return audit.entry_of(self.rota, self.actor, "task.created", self.task.id, name=spec.name, title=spec.title)


async def create_task(
    rota: Rota, actor: Actor, spec: TaskSpec, *, owner_id: str | None = None, beside: Beside = nothing_beside
) -> Task:
    """Store a task and plan it from now. It is the actor's own or, where root says so, another's.

    beside  writes what a surface keeps with it, in the same transaction

    Raises Invalid at `body.<field>`, Forbidden without `task.shell` for a shell task, Conflict if the owner has one of
    that name, Duplicate as `single` says, and NotFound for an owner who is not there.
    """
    now = rota.clock.now()
    opening = documents.check_spec(actor, spec, rota.tools, rota.modules, now=now, default_timezone=rota.default_timezone)
    task = Task(
        id=rota.ids.new(),
        spec=spec,
        source="api",
        status="active",
        created_at=now,
        updated_at=now,
        anchor_at=now,
        cursor_at=opening.cursor_at,
        owner_id=owner_id or access.owner_of(actor),
        next_at=opening.next_at,
    )

    made = Made(rota, actor, task)
    if owner_id is None and beside is nothing_beside and made.stands_for_itself:
        await rota.database.write_part(_store_all, made)
    else:
        await rota.database.write(lambda c: _store_one(c, made, owner_id, beside))
    _changed(rota, "task.created", task)
    return task


def _store_one(c: Connection, made: Made, owner_id: str | None, beside: Beside) -> None:
    _check_owner(c, made.actor, owner_id)
    check_single(c, made.actor, made.task)
    tasks.insert_task(c, made.task)
    beside(c, made.task)
    audit.note_all(c, [made.line()])


def _store_all(c: Connection, all_made: Sequence[Made]) -> list[Conflict | None]:
    refused = tasks.insert_tasks(c, [made.task for made in all_made])
    audit.note_all(c, [made.line() for made, error in zip(all_made, refused, strict=True) if error is None])
    return refused


async def get_task(rota: Rota, actor: Actor, reference: str) -> Task:
    """By id or name. Raises NotFound also for what the actor may not see."""
    return await rota.database.read(lambda c: access.get_usable_task(c, actor, reference))


async def list_tasks(rota: Rota, actor: Actor, *, after: str | None, limit: int) -> list[Task]:
    """Up to `limit` tasks, oldest first, after the id `after`: the actor's own, for root all."""
    return await rota.database.read(
        lambda c: tasks.list_tasks(
            c, owner_id=None if actor.is_root else actor.id, everyone=actor.is_root, after=after, limit=limit
        )
    )


async def list_own_tasks(rota: Rota, actor: Actor) -> list[Task]:
    """All tasks of the actor's own, for the operator the installation's, by name in the order of code points."""
    found = await rota.database.read(lambda c: tasks.list_tasks(c, owner_id=access.owner_of(actor), limit=MOST_LISTED))
    return sorted(found, key=lambda task: task.name)


async def update_task(
    rota: Rota,
    actor: Actor,
    reference: str,
    change: dict[str, Any],
    *,
    expected_version: int | None = None,
    beside: Beside = nothing_beside,
    find: Find = access.get_task,
) -> Task:
    """Change some fields of a task's document; a changed schedule counts from now. `beside` as in create_task.

    Raises as create_task does, NotFound, and Conflict for a task of the settings file, a canceled one, or one whose
    version is not the expected one.
    """
    now = rota.clock.now()

    def write(c: Connection) -> Task:
        task = find(c, actor, reference)
        check_changeable(task)
        if expected_version not in (None, task.version):
            raise Conflict(f"the task is at version {task.version}, not {expected_version}", hint="read it again")
        changed = change_document(c, rota, actor, task, change, now)
        check_single(c, actor, changed)
        beside(c, changed)
        audit.note(c, rota, actor, "task.updated", task.id, fields=list(change))
        return changed

    task = await rota.database.write(write)
    _changed(rota, "task.changed", task)
    return task


async def delete_task(rota: Rota, actor: Actor, reference: str, *, with_runs: bool = False, find: Find = access.get_task) -> None:
    """Remove a task; its name is free again. Waiting runs are dropped, running ones are stopped; its history stays, unless it
    is to go `with_runs`.

    Raises NotFound, and Conflict for a task of the settings file.
    """
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Task, list[Run]]:
        task = find(c, actor, reference)
        _check_own(task)
        audit.note(c, rota, actor, "task.deleted", task.id, name=task.name)
        return task, remove(c, rota, task, now, with_runs=with_runs)

    task, ended = await rota.database.write(write)
    for loop in ("dispatcher", "pruner", *RECALL):
        rota.bus.wake(loop)
    ends.tell(rota, task, ended)
    _changed(rota, "task.removed", task)


def remove(c: Connection, rota: Rota, task: Task, now: datetime, *, with_runs: bool) -> list[Run]:
    """Take a task out. Answers the runs that ended by it. Of runs that go with it nobody is told any more."""
    if with_runs:
        outbox.drop_callbacks_of(c, task.id, now)
    projecttasks.mark_deleted(c, task.id, now)
    ended = stop_live(c, rota, task, "removed", now)
    tasks.update_status(c, task.id, "removed", from_=("active", "paused", "canceled"), now=now)
    if with_runs:
        deletion.hide_all(c, task.id, now)
    return ended


def stop_live(c: Connection, rota: Rota, task: Task, cause: StopCause, now: datetime) -> list[Run]:
    """Ask all live runs of a task to end. Answers those that ended by it at once: the ones that were waiting."""
    live = runs.list_runs(c, task_id=task.id, states=("pending", "running"), everyone=True, before=None, limit=MOST_LIVE)
    after = [runs.request_stop(c, run.id, cause, now) for run in live]
    ended = [run for run in after if run is not None and run.ended_at is not None]
    ends.publish(c, rota, task, ended, now)
    return ended


def drop_waiting(c: Connection, rota: Rota, task: Task, reason: Reason, now: datetime, *, held: bool = False) -> list[Run]:
    """End what waits unstarted as skipped; with `held`, only what waits in the task's queue. Answers those runs."""
    waiting = runs.list_runs(c, task_id=task.id, states=("pending",), everyone=True, before=None, limit=MOST_LIVE)
    queued = {each.run_id for each in admission.list_held(c, [task.id], [], MOST_LIVE)} if held else None
    chosen = [run.id for run in waiting if queued is None or run.id in queued]
    dropped = runs.get_runs(c, admission.refuse(c, [(run_id, "skipped", reason, now) for run_id in chosen]))
    ends.publish(c, rota, task, dropped, now)
    return dropped


def check_changeable(task: Task) -> None:
    _check_own(task)
    if task.status == "canceled":
        raise Conflict(f"the task {task.name} was canceled for good", hint="create a new one")


def _check_own(task: Task) -> None:
    if task.source == "file":
        raise Conflict(f"the task {task.name} is defined by the settings file", hint="change the settings file and reload it")


def _check_owner(c: Connection, actor: Actor, owner_id: str | None) -> None:
    if owner_id in (None, actor.id):
        return
    actor.require("system.root")
    if users.find_user(c, owner_id) is None:
        raise NotFound(f"there is no user {owner_id}")


def change_document(c: Connection, rota: Rota, actor: Actor, task: Task, change: dict[str, Any], now: datetime) -> Task:
    """A merge patch of the document, checked; a changed schedule counts from now."""
    document = tasks.find_doc(c, task.id)
    if document is None:
        raise NotFound(f"there is no task {task.id}")
    change = keep_hidden(rota.modules, document, change)
    spec = documents.read_change(document, change)
    opening = documents.check_spec(actor, spec, rota.tools, rota.modules, now=now, default_timezone=rota.default_timezone)
    moved = (spec.schedule, spec.policy.dst) != (task.spec.schedule, task.spec.policy.dst)
    merged = documents.merge(document, change)
    changed = tasks.update_spec(c, task.id, merged, version=task.version, anchor_at=now if moved else None, updated_at=now)
    if moved:
        tasks.update_cursors(c, [tasks.Cursor(task.id, opening.cursor_at, opening.next_at)])
        return tasks.get_task(c, task.id)
    return changed


def _changed(rota: Rota, kind: str, task: Task) -> None:
    rota.bus.wake("scheduler")
    if task.is_service:
        rota.bus.wake("supervisor")
    rota.tell_task(kind, task)

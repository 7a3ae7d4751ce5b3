"""The tasks of the settings file, brought into the store: all of them or, on any error, none."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct, field

from rota.core.actor import OPERATOR
from rota.core.errors import Invalid
from rota.core.planning import open_schedule
from rota.core.run import Run
from rota.core.task import Task, TaskSpec
from rota.ops import ends
from rota.ops.context import Rota
from rota.ops.documents import check_pipeline
from rota.ops.tasks import drop_waiting, stop_live
from rota.store import tasks
from rota.store.database import Connection

Ended = list[tuple[Task, list[Run]]]


class Applied(Struct):
    """What changed, by name."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


async def apply_file_tasks(rota: Rota, specs: Sequence[TaskSpec], anew: Collection[str] = ()) -> Applied:
    """Make the installation's tasks those of the settings file, in one transaction.

    A task keeps its id, its history and, unless its schedule changed, its place in time. Live runs finish as they were
    started, those of a removed task too; instances of a changed service are started anew, those of a removed one stopped;
    what waits for a removed task is skipped.

    anew  services that changed in what their documents do not hold: their secrets
    """
    check_file_tasks(rota, specs)
    now = rota.clock.now()
    applied, ended = await rota.database.write(lambda c: _apply_all(c, rota, specs, anew, now))
    for task, runs in ended:
        ends.tell(rota, task, runs)
    for loop in ("scheduler", "dispatcher", "supervisor"):
        rota.bus.wake(loop)
    return applied


def check_file_tasks(rota: Rota, specs: Sequence[TaskSpec]) -> None:
    """Raises Invalid: which tools there are is not known before a server is put together."""
    at = "tasks.{}.executor"
    problems = [each for spec in specs for each in check_pipeline(OPERATOR, spec, rota.tools, at.format(spec.name))]
    if problems:
        raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)


def _apply_all(
    c: Connection, rota: Rota, specs: Sequence[TaskSpec], anew: Collection[str], now: datetime
) -> tuple[Applied, Ended]:
    applied = Applied()
    ended: Ended = []
    before = {task.name: task for task in tasks.list_file_tasks(c)}
    for spec in specs:
        task = before.pop(spec.name, None)
        if task is None:
            tasks.insert_task(c, _new_task(rota, spec, now))
            applied.added.append(spec.name)
        elif task.spec != spec:
            ended += _change(c, rota, task, spec, now)
            applied.changed.append(spec.name)
        elif task.is_service and task.name in anew:
            ended.append((task, stop_live(c, rota, task, "replaced", now)))
            applied.changed.append(spec.name)
    for task in before.values():
        dropped = drop_waiting(c, rota, task, "task_removed", now)
        stopped = stop_live(c, rota, task, "removed", now) if task.is_service else []
        ended.append((task, dropped + stopped))
        tasks.update_status(c, task.id, "removed", from_=("active", "paused", "canceled"), now=now)
        applied.removed.append(task.name)
    return applied, ended


def _new_task(rota: Rota, spec: TaskSpec, now: datetime) -> Task:
    opening = open_schedule(spec.schedule, spec.policy.dst, now, rota.default_timezone)
    starts = spec.service is None or spec.service.autostart
    return Task(
        id=rota.ids.new(),
        spec=spec,
        source="file",
        status="active" if starts else "paused",
        created_at=now,
        updated_at=now,
        anchor_at=now,
        cursor_at=opening.cursor_at,
        next_at=opening.next_at,
    )


def _change(c: Connection, rota: Rota, task: Task, spec: TaskSpec, now: datetime) -> Ended:
    moved = (spec.schedule, spec.policy.dst) != (task.spec.schedule, task.spec.policy.dst)
    document = msgspec.to_builtins(spec)
    tasks.update_spec(c, task.id, document, version=task.version, anchor_at=now if moved else None, updated_at=now)
    if moved:
        opening = open_schedule(spec.schedule, spec.policy.dst, now, rota.default_timezone)
        tasks.update_cursors(c, [tasks.Cursor(task.id, opening.cursor_at, opening.next_at)])
    if task.is_service:
        return [(task, stop_live(c, rota, task, "replaced", now))]
    if task.spec.policy.overlap == "queue" != spec.policy.overlap:
        return [(task, drop_waiting(c, rota, task, "overlap", now, held=True))]
    return []

"""Pause, resume and cancel of a task."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from rota.core.actor import Actor
from rota.core.errors import Conflict
from rota.core.run import Run
from rota.core.task import Status, Task
from rota.ops import access, audit, ends
from rota.ops.context import Rota
from rota.ops.single import check_single
from rota.ops.tasks import drop_waiting, stop_live
from rota.store import instances, tasks
from rota.store.database import Connection

Steer = Callable[[Connection, Rota, Task, datetime], list[Run]]


class Steered(NamedTuple):
    """The task as it is now, its status before, and how many waiting runs were dropped."""

    task: Task
    before: Status
    dropped: int


async def pause_task(rota: Rota, actor: Actor, reference: str) -> Task:
    """Start nothing new until it is resumed. Waiting runs are dropped, a running one goes on; a service is stopped.

    Raises NotFound, and Conflict for a canceled task. Pausing twice is no error.
    """
    return (await steer_task(rota, actor, reference, "paused")).task


async def resume_task(rota: Rota, actor: Actor, reference: str) -> Task:
    """Go on from now: what was missed while it was paused is not made up. Raises NotFound, Conflict if canceled."""
    return (await steer_task(rota, actor, reference, "active")).task


async def cancel_task(rota: Rota, actor: Actor, reference: str) -> Task:
    """End a task for good: waiting runs are dropped, a running one goes on, later changes are refused.

    Raises NotFound, and Conflict if it is canceled already.
    """
    return (await steer_task(rota, actor, reference, "canceled")).task


async def steer_task(rota: Rota, actor: Actor, reference: str, status: Status) -> Steered:
    """Pause (`paused`), resume (`active`) or cancel (`canceled`). Raises as these do, and Duplicate as `single` says."""
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Steered, list[Run]]:
        task = access.get_task(c, actor, reference)
        if task.status == "canceled":
            raise Conflict(f"the task {task.name} was canceled for good", hint="create a new one")
        ended = STEERS[status](c, rota, task, now)
        steered = Steered(tasks.get_task(c, task.id), task.status, len(ended))
        check_single(c, actor, steered.task)
        audit.note(c, rota, actor, ACTIONS[status], task.id, before=task.status, dropped=len(ended))
        return steered, ended

    steered, ended = await rota.database.write(write)
    task = steered.task
    for loop in ("scheduler", "dispatcher", "supervisor"):
        rota.bus.wake(loop)
    ends.tell(rota, task, ended)
    rota.tell_task("task.changed", task)
    return steered


def _pause(c: Connection, rota: Rota, task: Task, now: datetime) -> list[Run]:
    tasks.update_status(c, task.id, "paused", from_=["active"], now=now)
    dropped = drop_waiting(c, rota, task, "task_paused", now)
    return dropped + (stop_live(c, rota, task, "stop", now) if task.is_service else [])


def _resume(c: Connection, rota: Rota, task: Task, now: datetime) -> list[Run]:
    if tasks.update_status(c, task.id, "active", from_=["paused"], now=now):
        cursor_at = max(now, task.cursor_at)  # a slot that was put off before the pause has its record already
        planned = rota.schedule_of(task).next_after(cursor_at)
        tasks.update_cursors(c, [tasks.Cursor(task.id, cursor_at, planned.at if planned else None)])
    if task.is_service:  # an instance that gave up may try again
        instances.delete_instances(c, task.id, 0)
    return []


def _cancel(c: Connection, rota: Rota, task: Task, now: datetime) -> list[Run]:
    tasks.update_status(c, task.id, "canceled", from_=("active", "paused"), now=now)
    return drop_waiting(c, rota, task, "task_removed", now)


STEERS: dict[Status, Steer] = {"paused": _pause, "active": _resume, "canceled": _cancel}
ACTIONS: dict[Status, str] = {"paused": "task.paused", "active": "task.resumed", "canceled": "task.canceled"}

"""Pause, resume and cancel of a task."""

from collections.abc import Callable
from datetime import datetime

from rota.core.actor import Actor
from rota.core.errors import Conflict
from rota.core.run import Run
from rota.core.task import Task
from rota.ops import access, ends
from rota.ops.context import Rota
from rota.ops.tasks import drop_waiting, stop_live
from rota.store import instances, tasks
from rota.store.database import Connection

Steer = Callable[[Connection, Rota, Task, datetime], list[Run]]


async def pause_task(rota: Rota, actor: Actor, reference: str) -> Task:
    """Start nothing new until it is resumed. Waiting runs are dropped, a running one goes on; a service is stopped.

    Raises NotFound, and Conflict for a canceled task. Pausing twice is no error.
    """
    return await _steer(rota, actor, reference, _pause)


async def resume_task(rota: Rota, actor: Actor, reference: str) -> Task:
    """Go on from now: what was missed while it was paused is not made up. Raises NotFound, Conflict if canceled."""
    return await _steer(rota, actor, reference, _resume)


async def cancel_task(rota: Rota, actor: Actor, reference: str) -> Task:
    """End a task for good: waiting runs are dropped, a running one goes on, later changes are refused.

    Raises NotFound, and Conflict if it is canceled already.
    """
    return await _steer(rota, actor, reference, _cancel)


async def _steer(rota: Rota, actor: Actor, reference: str, steer: Steer) -> Task:
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Task, list[Run]]:
        task = access.get_task(c, actor, reference)
        if task.status == "canceled":
            raise Conflict(f"the task {task.name} was canceled for good", hint="create a new one")
        ended = steer(c, rota, task, now)
        return tasks.get_task(c, task.id), ended

    task, ended = await rota.database.write(write)
    for loop in ("scheduler", "dispatcher", "supervisor"):
        rota.bus.wake(loop)
    ends.tell(rota, task, ended)
    rota.tell_task("task.changed", task)
    return task


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

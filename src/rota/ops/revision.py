"""Changing a task in one transaction: its document, its status, whom it belongs to."""

from datetime import datetime
from typing import Any

from rota.core.actor import Actor
from rota.core.errors import NotFound
from rota.core.run import Run
from rota.core.task import Status, Task
from rota.ops import access, audit, ends
from rota.ops.context import Rota
from rota.ops.single import check_single
from rota.ops.steering import STEERS
from rota.ops.tasks import Beside, change_document, check_changeable, nothing_beside
from rota.store import tasks, users
from rota.store.database import Connection


async def revise_task(
    rota: Rota,
    actor: Actor,
    reference: str,
    change: dict[str, Any],
    *,
    status: Status | None = None,
    owner_id: str | None = None,
    beside: Beside = nothing_beside,
) -> Task:
    """Change some fields as update_task does, and pause, resume or cancel the task or give it to another agent, all or nothing.

    Raises as update_task does, Forbidden for giving away without `system.root`, NotFound for an unknown agent, and Duplicate.
    """
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Task, list[Run], str | None]:
        task = access.get_task(c, actor, reference)
        former_id = task.owner_id
        check_changeable(task)
        _give(c, actor, task, owner_id, now)
        if change:
            task = change_document(c, rota, actor, task, change, now)
        ended = STEERS[status](c, rota, task, now) if status not in (None, task.status) else []
        task = tasks.get_task(c, task.id)
        check_single(c, actor, task)
        beside(c, task)
        given = [*change, *(["status"] if status else []), *(["owner_id"] if owner_id else [])]
        audit.note(c, rota, actor, "task.updated", task.id, fields=given, status=task.status)
        return task, ended, former_id

    task, ended, former_id = await rota.database.write(write)
    if former_id not in (None, task.owner_id):
        rota.bus.tell_rights(former_id)
    for loop in ("scheduler", "dispatcher", "supervisor"):
        rota.bus.wake(loop)
    ends.tell(rota, task, ended)
    rota.tell_task("task.changed", task)
    return task


def _give(c: Connection, actor: Actor, task: Task, owner_id: str | None, now: datetime) -> None:
    if owner_id in (None, task.owner_id):
        return
    actor.require("system.root")
    if users.find_user(c, owner_id) is None:
        raise NotFound(f"there is no agent {owner_id}")
    tasks.update_owner(c, task.id, owner_id, now)

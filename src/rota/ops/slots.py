"""What became of each planned instant: "did 03:00 run, and if not, why"."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from rota.core.actor import Actor
from rota.core.slot import Slot
from rota.core.states import Reason, State
from rota.core.task import Task
from rota.ops import access
from rota.ops.context import Rota
from rota.store import slots
from rota.store.database import Connection

Unrecorded = Literal["not_due_yet", "not_a_slot", "before_task", "task_paused", "task_removed", "no_schedule"]


class SlotAnswer(Struct, frozen=True, kw_only=True):
    """What is known of one instant. `outcome` is None where nothing was planned or nothing is decided yet; `reason` says which.

    not_due_yet  the schedule plans it, and its time has not come · not_a_slot  the schedule does not plan it
    before_task  it lies before the task, or before the schedule's last change · no_schedule  no clock starts this task
    task_paused · task_removed  the task was not active then
    """

    nominal_at: datetime
    outcome: State | None = None
    run_id: str | None = None
    reason: Reason | Unrecorded | None = None


async def list_slots(rota: Rota, actor: Actor, reference: str, *, before: datetime | None, limit: int) -> list[Slot]:
    """Up to `limit` recorded instants, newest first, before a moment. Raises NotFound."""

    def read(c: Connection) -> list[Slot]:
        return slots.list_slots(c, access.get_task(c, actor, reference).id, before=before, limit=limit)

    return await rota.database.read(read)


async def explain_slot(rota: Rota, actor: Actor, reference: str, at: datetime) -> SlotAnswer:
    """What became of one instant of a task, or why nothing did. Raises NotFound."""

    def read(c: Connection) -> tuple[Task, Slot | None]:
        task = access.get_task(c, actor, reference)
        return task, slots.find_slot(c, task.id, at)

    task, slot = await rota.database.read(read)
    if slot is not None:
        return SlotAnswer(nominal_at=at, outcome=slot.outcome, run_id=slot.run_id, reason=slot.reason)
    return SlotAnswer(nominal_at=at, reason=_why_unrecorded(rota, task, at))


def _why_unrecorded(rota: Rota, task: Task, at: datetime) -> Unrecorded:
    if task.spec.schedule is None:
        return "no_schedule"
    if at <= task.anchor_at:
        return "before_task"
    if not _is_planned(rota, task, at):
        return "not_a_slot"
    if task.status == "canceled":
        return "task_removed"
    # Behind the cursor every slot has its record, unless the task was paused when the cursor passed it.
    return "task_paused" if task.status == "paused" or at <= task.cursor_at else "not_due_yet"


def _is_planned(rota: Rota, task: Task, at: datetime) -> bool:
    planned = rota.schedule_of(task).next_after(at - timedelta(microseconds=1))
    return planned is not None and planned.at == at

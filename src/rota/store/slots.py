"""Slots: one row for each planned instant of a task, which is what makes a double fire impossible."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from rota.core.slot import Slot
from rota.core.states import Reason, State
from rota.store.connection import Connection, Row
from rota.store.moments import from_us, to_us


class NewSlot(NamedTuple):
    """A planned instant to be recorded: with its run or, where there is none, with what became of it."""

    task_id: str
    nominal_at: datetime
    run_id: str | None = None
    outcome: State | None = None
    reason: Reason | None = None


INSERT = """
    INSERT INTO slots (task_id, nominal_at, run_id, outcome, reason) {values}
    ON CONFLICT DO NOTHING RETURNING task_id, nominal_at"""
# A slot with a run tells what the run came to.
_SELECT = """
    SELECT slots.task_id, slots.nominal_at, COALESCE(runs.state, slots.outcome, 'missed'),
        slots.run_id, COALESCE(runs.reason, slots.reason)
    FROM slots LEFT JOIN runs ON runs.id = slots.run_id"""
LIST = f"{_SELECT} WHERE slots.task_id = ? AND slots.nominal_at < ? ORDER BY slots.nominal_at DESC LIMIT ?"
FIND = f"{_SELECT} WHERE slots.task_id = ? AND slots.nominal_at = ?"
LATEST = 2**62


def insert_slots(c: Connection, slots: Sequence[NewSlot]) -> set[tuple[str, datetime]]:
    """Record planned instants.

    Returns the new ones. Only those get runs: a slot that is recorded already has its outcome.
    """
    values = [(task_id, to_us(at), run_id, outcome, reason) for task_id, at, run_id, outcome, reason in slots]
    return {(task_id, from_us(at)) for task_id, at in c.batch(INSERT, "text bigint text text text", values)}


def delete_missed(c: Connection, task_ids: Sequence[str], after: datetime) -> None:
    """Forget that slots of these tasks after a moment were missed."""
    values = [(task_id, to_us(after)) for task_id in task_ids]
    c.run_many("DELETE FROM slots WHERE task_id = ? AND nominal_at > ? AND outcome = 'missed'", values)


def list_slots(c: Connection, task_id: str, *, before: datetime | None = None, limit: int) -> list[Slot]:
    """A page of a task's slots, newest first."""
    return [_slot(row) for row in c.rows(LIST, (task_id, LATEST if before is None else to_us(before), limit))]


def find_slot(c: Connection, task_id: str, nominal_at: datetime) -> Slot | None:
    """Did it run at that moment, and if not, why? None if nothing was planned then, or it is not due yet."""
    row = c.row(FIND, (task_id, to_us(nominal_at)))
    return None if row is None else _slot(row)


def _slot(row: Row) -> Slot:
    task_id, nominal_at, outcome, run_id, reason = row
    return Slot(task_id=task_id, nominal_at=from_us(nominal_at), outcome=outcome, run_id=run_id, reason=reason)

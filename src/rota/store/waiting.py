"""Runs that wait for their moment."""

from datetime import datetime, timedelta

from rota.core.run import Run
from rota.store import runs
from rota.store.database import Connection
from rota.store.moments import to_us


def find_occurrence(c: Connection, task_id: str, now: datetime) -> Run | None:
    """The first planned run of a task that is recorded already and still waits for a later moment: put off, or in its jitter."""
    row = c.row(
        "SELECT id FROM runs WHERE admission IN ('ticked', 'gated', 'new') AND task_id = ? AND trigger_kind = 'schedule'"
        " AND attempt = 0 AND nominal_at IS NOT NULL AND due_at > ? ORDER BY due_at, id LIMIT 1",
        (task_id, to_us(now)),
    )
    return runs.find_run(c, row[0]) if row else None


def postpone(c: Connection, run_id: str, due_at: datetime) -> bool:
    """Let a run that was not admitted yet wait until `due_at`, past the jitter gate. False if it is too late for that."""
    statement = """
        UPDATE runs SET due_at = ?, admission = 'new', gate_until = NULL
        WHERE id = ? AND admission IN ('ticked', 'gated', 'new')"""
    return c.run(statement, (to_us(due_at), run_id)) == 1


def shift_retries(c: Connection, by: timedelta) -> None:
    """Move the moments of all waiting retries: their waits were measured by a clock that was set since."""
    shift_us = by // timedelta(microseconds=1)
    c.run("UPDATE runs SET due_at = due_at + ? WHERE admission = 'new' AND attempt > 0", (shift_us,))

"""Runs that an earlier server left waiting."""

from datetime import datetime

from rota.store.connection import Connection
from rota.store.moments import to_us

COUNT = "SELECT task_id, COUNT(*) FROM runs WHERE state = 'pending' GROUP BY task_id"
# Not those that go through the gate, wait for a retry, or were put off.
LEFTOVER = """
    SELECT id FROM runs
    WHERE task_id = ? AND state = 'pending' AND attempt = 0 AND due_at <= ? AND admission IN ('new', 'ready', 'held')
    ORDER BY priority, due_at, id"""


def count_pending(c: Connection) -> dict[str, int]:
    """By task, those that have any."""
    return dict(c.rows(COUNT))


def list_leftover(c: Connection, task_id: str, now: datetime) -> list[str]:
    """Ids of a task's runs that could start at once, in queue order."""
    return [row[0] for row in c.rows(LEFTOVER, (task_id, to_us(now)))]

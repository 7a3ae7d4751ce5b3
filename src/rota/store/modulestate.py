"""What modules keep from one run of a task to the next."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rota.store.connection import Connection
from rota.store.documents import from_text, to_text
from rota.store.moments import to_us

FIND = "SELECT state FROM module_state WHERE task_id = ?"
LIST = "SELECT task_id, state FROM module_state WHERE task_id IN ({values})"
# Only who holds a run of the task writes.
SAVE = """
    INSERT INTO module_state (task_id, state, updated_at)
    SELECT runs.task_id, CAST(? AS TEXT), CAST(? AS BIGINT) FROM runs
    WHERE runs.id = ? AND runs.fence = ? AND COALESCE(runs.state, '') = 'running'
    ON CONFLICT (task_id) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at
    RETURNING task_id"""


def get_state(c: Connection, task_id: str) -> dict[str, Any]:
    """Empty for a task that keeps nothing."""
    row = c.row(FIND, (task_id,))
    return from_text(row[0]) if row else {}


def save_state(c: Connection, run_id: str, fence: int, state: dict[str, Any], at: datetime) -> bool:
    """False, and nothing is changed, if the run is not held with that fence any more."""
    return c.row(SAVE, (to_text(state), to_us(at), run_id, fence)) is not None


def list_states(c: Connection, task_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """By task; those that keep nothing are left out."""
    return {task_id: from_text(state) for task_id, state in c.batch(LIST, "text", [(task_id,) for task_id in set(task_ids)])}

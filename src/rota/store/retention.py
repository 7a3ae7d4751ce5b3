"""Retention: which history may go, and how it goes. Live runs are never touched."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from rota.store.connection import Connection, Row
from rota.store.moments import from_us, to_us

# `state NOT IN` instead of `ended_at IS NOT NULL`, so that the planner keeps to the index that is in order of age.
_ENDED = "state NOT IN ('pending', 'running')"
# The newest run that is one too many.
SURPLUS = f"SELECT id FROM runs WHERE task_id = ? AND id < '~' AND {_ENDED} ORDER BY id DESC LIMIT 1 OFFSET ?"
_OLD = "SELECT id, task_id, created_at, owner_id FROM runs"
OLDEST_OF_TASK = f"{_OLD} WHERE task_id = ? AND {_ENDED} AND id > '' ORDER BY id LIMIT ?"
OLDEST = f"{_OLD} WHERE id > '' AND {_ENDED} ORDER BY id LIMIT ?"
# What the runs came to stays in their slots.
KEEP_OUTCOME = f"""
    WITH given (id) AS ({{values}})
    UPDATE slots SET outcome = runs.state, reason = runs.reason, run_id = NULL
    FROM given JOIN runs ON runs.id = given.id
    WHERE slots.run_id = given.id AND runs.{_ENDED} RETURNING slots.task_id"""
DELETE = f"DELETE FROM runs WHERE id IN ({{values}}) AND {_ENDED} RETURNING id"
# Of one task, through the key of the slots. A slot whose run is kept stays with it.
PRUNE_SLOTS = """
    DELETE FROM slots WHERE task_id = ? AND nominal_at IN (
        SELECT nominal_at FROM slots WHERE task_id = ? AND nominal_at < ? AND run_id IS NULL ORDER BY nominal_at LIMIT ?)"""
TASK_IDS = "SELECT id FROM tasks WHERE id > ? ORDER BY id LIMIT ?"
# Of which nothing is left to look at. Artifacts are gone through once, for all of them.
PRUNE_TASKS = """
    DELETE FROM tasks WHERE id IN (
        SELECT id FROM tasks WHERE status = 'removed' AND updated_at < ?
            AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.task_id = tasks.id)
            AND id NOT IN (SELECT DISTINCT task_id FROM artifacts)
        ORDER BY id LIMIT ?)"""


class OldRun(Struct, frozen=True):
    """An ended run that may go."""

    id: str
    task_id: str
    created_at: datetime
    owner_id: str | None = None


def prunable(
    c: Connection, task_id: str, keep_runs: int | None = None, keep_for_before: datetime | None = None, limit: int = 500
) -> list[OldRun]:
    """The oldest ended runs of a task that either rule lets go, oldest first; ask again while there are `limit`.

    keep_runs        how many ended runs are kept, None for all
    keep_for_before  runs created before this moment go, None for none
    """
    surplus = None if keep_runs is None else c.row(SURPLUS, (task_id, keep_runs))
    newest_surplus = "" if surplus is None else surplus[0]
    oldest = [old_run(row) for row in c.rows(OLDEST_OF_TASK, (task_id, limit))]
    return [run for run in oldest if run.id <= newest_surplus or (keep_for_before and run.created_at < keep_for_before)]


def oldest_ended(c: Connection, limit: int) -> list[OldRun]:
    """The oldest ended runs of all tasks, oldest first."""
    return [old_run(row) for row in c.rows(OLDEST, (limit,))]


def delete_runs(c: Connection, ids: Sequence[str]) -> list[str]:
    """Delete ended runs; their slots keep what they came to. Returns those that were deleted."""
    values = [(run_id,) for run_id in ids]
    c.batch(KEEP_OUTCOME, "text", values)
    return [row[0] for row in c.batch(DELETE, "text", values)]


def list_task_ids(c: Connection, after: str, limit: int) -> list[str]:
    """Of all tasks, removed ones too, in order, behind that id."""
    return [row[0] for row in c.rows(TASK_IDS, (after, limit))]


def prune_slots(c: Connection, task_ids: Sequence[str], before: datetime, limit: int) -> int:
    """Forget slots of these tasks from before that moment whose runs are gone, up to `limit` in all. Returns how many."""
    pruned = 0
    for task_id in task_ids:
        pruned += c.run(PRUNE_SLOTS, (task_id, task_id, to_us(before), limit - pruned))
        if pruned >= limit:
            break
    return pruned


def prune_tasks(c: Connection, before: datetime, limit: int) -> int:
    """Forget tasks that were removed before that moment and have neither runs nor artifacts. Returns how many."""
    return c.run(PRUNE_TASKS, (to_us(before), limit))


def old_run(row: Row) -> OldRun:
    """From a row of id, task, creation and owner."""
    return OldRun(row[0], row[1], from_us(row[2]), row[3])

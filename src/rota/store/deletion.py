"""Soft deletion: ended attempts are hidden at once, and for a while they can be brought back."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rota.store.connection import Connection
from rota.store.moments import from_us_or_none, to_us
from rota.store.retention import OldRun, old_run

# For so long a deletion can be undone.
UNDO = timedelta(seconds=7)

# The first attempt is known by its run's id, a later one by its own; those that ended while their run went on are rows of theirs.
_PLACES = (
    ("runs", "id IN ({values}) AND attempt_id IS NULL AND ended_at IS NOT NULL", "id, id"),
    ("runs", "attempt_id IN ({values}) AND attempt_id IS NOT NULL AND ended_at IS NOT NULL", "attempt_id, id"),
    ("attempts", "id IN ({values})", "id, run_id"),
)
HIDE = [f"UPDATE {t} SET deleted_at = ? WHERE {these} AND deleted_at IS NULL RETURNING {ids}" for t, these, ids in _PLACES]
BRING_BACK = [f"UPDATE {t} SET deleted_at = NULL WHERE {these} AND deleted_at >= ? RETURNING {ids}" for t, these, ids in _PLACES]
# A run goes when all of its attempts are deleted; one that keeps some to show stays hidden beside them.
_GONE = """deleted_at IS NOT NULL AND ended_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.run_id = runs.id AND attempts.deleted_at IS NULL)"""
PURGEABLE = f"SELECT id, task_id, created_at, owner_id FROM runs WHERE deleted_at <= ? AND {_GONE} ORDER BY deleted_at LIMIT ?"
GOES_ON = "SELECT 1 FROM runs WHERE deleted_at IS NOT NULL AND ended_at IS NULL LIMIT 1"
NEXT = f"SELECT MIN(deleted_at) FROM runs WHERE {_GONE}"


def hide(c: Connection, ids: Sequence[str], at: datetime) -> list[tuple[str, str]]:
    """Delete those of the attempts that are over. Returns (id, run id) of those that were there to delete."""
    return _each(c, HIDE, ids, at)


def hide_all(c: Connection, task_id: str, at: datetime) -> None:
    """Delete all runs of a task; those that are going on are purged once they are over."""
    for table in ("runs", "attempts"):
        c.run(f"UPDATE {table} SET deleted_at = ? WHERE task_id = ? AND deleted_at IS NULL", (to_us(at), task_id))


def hide_run(c: Connection, run_id: str, at: datetime) -> None:
    """Delete a run with all its attempts; one that is going on is purged once it is over."""
    c.run("UPDATE runs SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", (to_us(at), run_id))
    c.run("UPDATE attempts SET deleted_at = ? WHERE run_id = ? AND deleted_at IS NULL", (to_us(at), run_id))


def bring_back(c: Connection, ids: Sequence[str], since: datetime) -> list[tuple[str, str]]:
    """Undo the deletion of those that were deleted at that moment or later. Returns (id, run id) of those."""
    return _each(c, BRING_BACK, ids, since)


def list_purgeable(c: Connection, before: datetime, limit: int) -> list[OldRun]:
    """Runs of which nothing is left to show since that moment, the longest deleted first."""
    return [old_run(row) for row in c.rows(PURGEABLE, (to_us(before), limit))]


def first_deleted(c: Connection) -> datetime | None:
    """When the first of the runs was deleted that are to go."""
    row = c.row(NEXT)
    return from_us_or_none(row[0]) if row else None


def goes_on(c: Connection) -> bool:
    """Whether any run was deleted that is not over yet."""
    return c.row(GOES_ON) is not None


def _each(c: Connection, statements: Sequence[str], ids: Sequence[str], at: datetime) -> list[tuple[str, str]]:
    values = [(each,) for each in ids]
    return [(row[0], row[1]) for sql in statements for row in c.batch(sql, "text", values, (to_us(at),))]

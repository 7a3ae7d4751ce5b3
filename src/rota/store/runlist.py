"""Lists of runs, newest first: a page costs the same however long the history is."""

from collections.abc import Sequence
from typing import Any

from rota.core.run import Run
from rota.core.states import ENDED, State
from rota.store.connection import Connection
from rota.store.runrow import COLUMNS, from_row

# Sorts after every id: the place before the newest run.
NEWEST = "~"
SHOWN = " AND deleted_at IS NULL"
PAGE = f"{SHOWN} ORDER BY id DESC LIMIT ?"
# One branch for each kind of filter; every branch reads one index from the asked place on, and no more than a page of it.
BY_ID: dict[str | None, str] = {
    None: "SELECT id FROM runs WHERE id < ?" + PAGE,
    "task_id": "SELECT id FROM runs WHERE task_id = ? AND id < ?" + PAGE,
    "owner_id": "SELECT id FROM runs WHERE owner_id = ? AND id < ?" + PAGE,
    "both": "SELECT id FROM runs WHERE task_id = ? AND COALESCE(owner_id, '') = ? AND id < ?" + PAGE,
}
BY_ENDED_STATE: dict[str | None, str] = {
    None: "SELECT id FROM runs WHERE state = ? AND ended_at IS NOT NULL AND id < ?" + PAGE,
    "task_id": "SELECT id FROM runs WHERE task_id = ? AND state = ? AND ended_at IS NOT NULL AND id < ?" + PAGE,
    "owner_id": "SELECT id FROM runs WHERE owner_id = ? AND state = ? AND ended_at IS NOT NULL AND id < ?" + PAGE,
    "both": "SELECT id FROM runs WHERE task_id = ? AND COALESCE(owner_id, '') = ? AND state = ? AND ended_at IS NOT NULL "
    "AND id < ?" + PAGE,
}
# Live runs have an index of their own; COALESCE keeps the planner from walking the history of the task or owner instead.
BY_PENDING: dict[str | None, str] = {
    None: "SELECT id FROM runs WHERE state = 'pending' AND id < ?" + PAGE,
    "task_id": "SELECT id FROM runs WHERE state = 'pending' AND COALESCE(task_id, '') = ? AND id < ?" + PAGE,
    "owner_id": "SELECT id FROM runs WHERE state = 'pending' AND COALESCE(owner_id, '') = ? AND id < ?" + PAGE,
    "both": "SELECT id FROM runs WHERE state = 'pending' AND COALESCE(task_id, '') = ? AND COALESCE(owner_id, '') = ? AND id < ?"
    + PAGE,
}
# Few runs are running, so all of them are read and sorted.
RUNNING_PAGE = f"{SHOWN} ORDER BY COALESCE(id, '') DESC LIMIT ?"
BY_RUNNING: dict[str | None, str] = {
    None: "SELECT id FROM runs WHERE state = 'running' AND COALESCE(id, '') < ?" + RUNNING_PAGE,
    "task_id": "SELECT id FROM runs WHERE state = 'running' AND task_id = ? AND COALESCE(id, '') < ?" + RUNNING_PAGE,
    "owner_id": "SELECT id FROM runs WHERE state = 'running' AND COALESCE(owner_id, '') = ? AND COALESCE(id, '') < ?"
    + RUNNING_PAGE,
    "both": "SELECT id FROM runs WHERE state = 'running' AND task_id = ? AND COALESCE(owner_id, '') = ? AND COALESCE(id, '') < ?"
    + RUNNING_PAGE,
}
# Of tasks that everyone may start: one query over what its owner has, however long that is.
OF_SHARED = """
    SELECT runs.id FROM runs JOIN tasks ON tasks.id = runs.task_id
    WHERE runs.owner_id = ? AND runs.deleted_at IS NULL AND tasks.shared = 1 AND tasks.status <> 'removed'"""
FETCH = f"SELECT {COLUMNS} FROM runs WHERE id IN ({{values}})"


def list_runs(
    c: Connection,
    *,
    task_id: str | None = None,
    states: Sequence[State] | None = None,
    owner_id: str | None = None,
    everyone: bool = False,
    before: str | None = None,
    limit: int,
) -> list[Run]:
    """A page of runs, newest first.

    task_id   of one task; with `owner_id` only that owner's: where everyone may start it, others have theirs
    states    any of these; None for all
    owner_id  that owner's; without it and without a task, `everyone` must be said
    before    the id of the last run of the page before
    """
    if task_id is None and owner_id is None and not everyone:
        raise ValueError("whose runs? give task_id, owner_id or everyone=True")
    ids = _page(c, _scope(task_id, owner_id), states, before or NEWEST, limit)
    found = c.batch(FETCH, "text", [(run_id,) for run_id in ids])
    return [from_row(row) for row in sorted(found, reverse=True)]


def list_shared_runs(c: Connection, owner_id: str) -> list[Run]:
    """All of an owner's runs of shared tasks, newest first."""
    found = c.batch(FETCH, "text", c.rows(OF_SHARED, (owner_id,)))
    return [from_row(row) for row in sorted(found, reverse=True)]


def _scope(task_id: str | None, owner_id: str | None) -> tuple[str | None, tuple[str, ...]]:
    if task_id is not None:
        return ("task_id", (task_id,)) if owner_id is None else ("both", (task_id, owner_id))
    return (None, ()) if owner_id is None else ("owner_id", (owner_id,))


def _page(
    c: Connection, scope: tuple[str | None, tuple[str, ...]], states: Sequence[State] | None, before: str, limit: int
) -> list[str]:
    column, value = scope
    if states is None:
        return [row[0] for row in c.rows(BY_ID[column], (*value, before, limit))]
    ids = [row[0] for state in set(states) for row in _of_state(c, column, value, state, before, limit)]
    return sorted(ids, reverse=True)[:limit]


def _of_state(
    c: Connection, column: str | None, value: tuple[str, ...], state: State, before: str, limit: int
) -> list[tuple[Any, ...]]:
    if state in ENDED:
        return c.rows(BY_ENDED_STATE[column], (*value, state, before, limit))
    statement = (BY_PENDING if state == "pending" else BY_RUNNING)[column]
    return c.rows(statement, (*value, before, limit))

"""Counts over many runs."""

from collections import Counter

from rota.core.states import State
from rota.store.connection import Connection

_OWNED = {True: "r.owner_id IS NULL", False: "r.owner_id = ?"}
# Attempts that ended while their run went on count as runs of their own.
BY_STATE = """
    SELECT r.state, COUNT(*) FROM runs AS r WHERE {owned} AND r.deleted_at IS NULL GROUP BY r.state
    UNION ALL SELECT a.state, COUNT(*) FROM attempts AS a JOIN runs AS r ON r.id = a.run_id
    WHERE {owned} AND a.deleted_at IS NULL GROUP BY a.state"""
# Each reads an index of live runs; grouped, the planner would rather walk the history of each task.
LIVE = {state: f"SELECT task_id FROM runs WHERE state = '{state}'" for state in ("running", "pending")}


def count_occurrences_by_state(c: Connection, owner_id: str | None) -> "Counter[State]":
    """Of all runs of an owner's tasks (None: the installation's), each attempt counted."""
    values = () if owner_id is None else (owner_id, owner_id)
    counts: Counter[State] = Counter()
    for state, count in c.rows(BY_STATE.format(owned=_OWNED[owner_id is None]), values):
        counts[state] += count
    return counts


def count_live_by_task(c: Connection) -> dict[str, tuple[int, int]]:
    """Running and waiting runs, by task id, of tasks that have any."""
    running, waiting = (Counter(row[0] for row in c.rows(statement)) for statement in LIVE.values())
    return {task_id: (running[task_id], waiting[task_id]) for task_id in running | waiting}

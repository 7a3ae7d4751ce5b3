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
# Live runs alone: each count reads an index of live runs.
ACTIVE = """
    SELECT task_id, 'running', COUNT(*) FROM runs WHERE state = 'running' GROUP BY task_id
    UNION ALL SELECT task_id, 'pending', COUNT(*) FROM runs WHERE state = 'pending' GROUP BY task_id"""


def count_occurrences_by_state(c: Connection, owner_id: str | None) -> "Counter[State]":
    """Of all runs of an owner's tasks (None: the installation's), each attempt counted."""
    values = () if owner_id is None else (owner_id, owner_id)
    counts: Counter[State] = Counter()
    for state, count in c.rows(BY_STATE.format(owned=_OWNED[owner_id is None]), values):
        counts[state] += count
    return counts


def count_live_by_task(c: Connection) -> dict[str, tuple[int, int]]:
    """Running and waiting runs, by task id, of tasks that have any."""
    counts: dict[str, tuple[int, int]] = {}
    for task_id, state, count in c.rows(ACTIVE):
        running, waiting = counts.get(task_id, (0, 0))
        counts[task_id] = (count, waiting) if state == "running" else (running, count)
    return counts

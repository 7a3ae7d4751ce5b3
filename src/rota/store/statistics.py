"""Counts over many runs."""

from collections import Counter
from datetime import datetime

from msgspec import Struct

from rota.core.states import FAILURES, STOPS, State
from rota.store.connection import Connection
from rota.store.moments import from_us_or_none, to_us

_OWNED = {True: "r.owner_id IS NULL", False: "r.owner_id = ?"}
# Attempts that ended while their run went on count as runs of their own.
BY_STATE = """
    SELECT r.state, COUNT(*) FROM runs AS r WHERE {owned} AND r.deleted_at IS NULL GROUP BY r.state
    UNION ALL SELECT a.state, COUNT(*) FROM attempts AS a JOIN runs AS r ON r.id = a.run_id
    WHERE {owned} AND a.deleted_at IS NULL GROUP BY a.state"""
# Each reads an index of live runs; grouped, the planner would rather walk the history of each task.
LIVE = {state: f"SELECT task_id FROM runs WHERE state = '{state}'" for state in ("running", "pending")}

_FAILED = ", ".join(f"'{state}'" for state in sorted(FAILURES | STOPS))
# A run whose retry was refused is told by its attempts alone.
ATTEMPTS = f"""
    SELECT COUNT(*), SUM(CASE WHEN state = 'succeeded' THEN 1 ELSE 0 END), SUM(CASE WHEN state IN ({_FAILED}) THEN 1 ELSE 0 END),
        COUNT(DISTINCT task_id), AVG(ended_at - started_at), MAX(started_at),
        MAX(CASE WHEN state = 'succeeded' THEN started_at END), MAX(CASE WHEN state IN ({_FAILED}) THEN started_at END)
    FROM (
        SELECT r.task_id, r.state, r.started_at, r.ended_at FROM runs AS r
        WHERE {{scope}} AND r.created_at >= ? AND r.deleted_at IS NULL AND r.ended_at IS NOT NULL AND r.started_at IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM attempts AS w WHERE w.run_id = r.id AND w.number = r.attempt)
        UNION ALL
        SELECT a.task_id, a.state, a.started_at, a.ended_at FROM attempts AS a JOIN runs AS r ON r.id = a.run_id
        WHERE {{scope}} AND r.created_at >= ? AND a.deleted_at IS NULL) AS went"""


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


class Went(Struct, frozen=True, kw_only=True):
    """How attempts went. `average_s` is of those that ended."""

    total: int
    succeeded: int
    failed: int
    tasks: int
    average_s: float
    last_at: datetime | None
    last_success_at: datetime | None
    last_failure_at: datetime | None


def count_attempts(c: Connection, since: datetime, *, task_id: str | None = None, owner_id: str | None = None) -> Went:
    """Attempts that were started and are over, of runs made since then: of one task, of an owner, or of all agents."""
    scope, values = _attempts_of(task_id, owner_id)
    row = c.rows(ATTEMPTS.format(scope=scope), (*values, to_us(since)) * 2)[0]
    total, succeeded, failed, tasks, average_us, last_at, last_success_at, last_failure_at = row
    return Went(
        total=int(total),
        succeeded=int(succeeded or 0),
        failed=int(failed or 0),
        tasks=int(tasks),
        average_s=float(average_us or 0) / 1e6,
        last_at=from_us_or_none(last_at),
        last_success_at=from_us_or_none(last_success_at),
        last_failure_at=from_us_or_none(last_failure_at),
    )


def _attempts_of(task_id: str | None, owner_id: str | None) -> tuple[str, tuple[str, ...]]:
    if task_id is not None:
        return "r.task_id = ?", (task_id,)
    if owner_id is not None:
        return "r.owner_id = ?", (owner_id,)
    return "EXISTS (SELECT 1 FROM users AS u WHERE u.id = r.owner_id AND u.kind = 'agent')", ()

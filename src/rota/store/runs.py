"""Runs: insert, find, stop."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rota.core.errors import NotFound
from rota.core.lease import STOP_GRACE
from rota.core.outcome import STOP_OUTCOMES, StopCause, stronger
from rota.core.run import Receipt, Run
from rota.core.states import State, move
from rota.store.attempts import list_attempts
from rota.store.connection import Connection
from rota.store.moments import from_us, from_us_or_none, to_us
from rota.store.runlist import list_runs, list_shared_runs
from rota.store.runrow import COLUMNS, WRITTEN, WRITTEN_TYPES, NewRun, from_row, to_row

__all__ = [
    "NewRun",
    "count_by_state",
    "find_receipt",
    "find_run",
    "find_shown_run",
    "get_run",
    "get_runs",
    "insert_runs",
    "is_judged",
    "list_attempts",
    "list_live",
    "list_runs",
    "list_shared_runs",
    "mark_delivered",
    "note_progress",
    "request_stop",
]

# Stores new runs. The owner is copied from the task where none is given, so that no caller can forget it.
INSERT = f"""
    WITH given ({WRITTEN}, concurrency_key, dedupe_key, admission, owner_id) AS ({{values}})
    INSERT INTO runs ({WRITTEN}, concurrency_key, dedupe_key, admission, owner_id)
    SELECT {WRITTEN}, concurrency_key, dedupe_key, admission,
        COALESCE(given.owner_id, (SELECT tasks.owner_id FROM tasks WHERE tasks.id = given.task_id))
    FROM given RETURNING id"""
INSERTED_TYPES = f"{WRITTEN_TYPES} text text text text"
FIND = f"SELECT {COLUMNS} FROM runs WHERE id = ?"
GET = f"SELECT {COLUMNS} FROM runs WHERE id IN ({{values}})"
# `>= 0` instead of IS NOT NULL, so that the planner takes the index of live instances.
LIVE_INSTANCES = f"SELECT {COLUMNS} FROM runs WHERE task_id IN ({{values}}) AND instance >= 0 AND ended_at IS NULL"
# What decides how a stop goes; nobody claims or settles the run until the stop is written.
FIND_LIVE = "SELECT state, stop_cause FROM runs WHERE id = ? AND state IN ('pending', 'running')"
LOCK: dict[str, str] = {"sqlite": "", "postgres": " FOR UPDATE"}
# Tells a running run to stop; the first request's moment stays.
ASK = """
    UPDATE runs SET stop_cause = ?, cancel_requested_at = COALESCE(cancel_requested_at, ?)
    WHERE id = ? AND state = 'running'"""
# A worker from outside need not hear of it: then its lease is soon over.
SHORTEN = "UPDATE leases SET until_at = ? WHERE run_id = ? AND until_at > ?"
# Ends a run that nothing works on.
END_PENDING = """
    UPDATE runs SET state = ?, reason = ?, ended_at = ?, admission = NULL, stop_cause = ?,
        cancel_requested_at = ?, cancel_delivered_at = ?
    WHERE id = ? AND state = 'pending'"""
# Notes that the stop has reached the work.
DELIVERED = """
    UPDATE runs SET cancel_delivered_at = ?
    WHERE id IN ({values}) AND COALESCE(state, '') = 'running' AND cancel_requested_at IS NOT NULL AND cancel_delivered_at IS NULL
    RETURNING id"""
RECEIPT = """
    SELECT state, reason, stop_cause, cancel_requested_at, cancel_delivered_at, ended_at
    FROM runs WHERE id = ? AND cancel_requested_at IS NOT NULL"""
# The holder alone says how far its attempt has come.
PROGRESS = "UPDATE runs SET progress = ? WHERE id = ? AND fence = ? AND COALESCE(state, '') = 'running'"
# Live runs alone: both counts read an index of live runs.
COUNT = """
    SELECT 'pending', COUNT(*) FROM runs WHERE state = 'pending'
    UNION ALL SELECT 'running', COUNT(*) FROM runs WHERE state = 'running'"""


def insert_runs(c: Connection, runs: Sequence[NewRun]) -> None:
    """Store a batch of runs. Conflict for an id that is taken or a task that is gone."""
    c.batch(INSERT, INSERTED_TYPES, [_insertion(new) for new in runs])


def _insertion(new: NewRun) -> tuple[object, ...]:
    return (*to_row(new.run), new.concurrency_key, new.dedupe_key, new.stored_admission, new.run.owner_id)


def find_run(c: Connection, run_id: str) -> Run | None:
    row = c.row(FIND, (run_id,))
    return None if row is None else from_row(row)


def find_shown_run(c: Connection, run_id: str) -> Run | None:
    """One that nobody has deleted."""
    row = c.row(f"{FIND} AND deleted_at IS NULL", (run_id,))
    return None if row is None else from_row(row)


def is_judged(c: Connection, run_id: str) -> bool:
    """Whether the dispatcher has decided what becomes of a run. One that is gone needs no decision."""
    row = c.row("SELECT admission FROM runs WHERE id = ?", (run_id,))
    return row is None or row[0] != "new"


def get_run(c: Connection, run_id: str) -> Run:
    """Raises NotFound."""
    found = find_run(c, run_id)
    if found is None:
        raise NotFound(f"there is no run {run_id}")
    return found


def get_runs(c: Connection, ids: Iterable[str]) -> list[Run]:
    """Those of the runs that exist, oldest first."""
    return [from_row(row) for row in sorted(c.batch(GET, "text", [(run_id,) for run_id in ids]))]


def list_live(c: Connection, task_ids: Iterable[str]) -> list[Run]:
    """Pending and running runs of these services' instances, in no order."""
    return [from_row(row) for row in c.batch(LIVE_INSTANCES, "text", [(task_id,) for task_id in task_ids])]


def request_stop(c: Connection, run_id: str, cause: StopCause, at: datetime) -> Run | None:
    """Ask a live run to end: the stronger cause stays, and what waits is ended at once.

    Returns the run afterwards, None if it had ended (or never was).
    """
    row = c.row(FIND_LIVE + LOCK[c.dialect], (run_id,))
    if row is None:
        return None
    state: State = row[0]
    strongest = stronger(row[1], cause)
    at_us = to_us(at)
    if state == "running":
        c.run(ASK, (strongest, at_us, run_id))
        stop_by = to_us(at + STOP_GRACE)
        c.run(SHORTEN, (stop_by, run_id, stop_by))
    else:
        end, reason = STOP_OUTCOMES[strongest]
        c.run(END_PENDING, (move(state, end), reason, at_us, strongest, at_us, at_us, run_id))
    return get_run(c, run_id)


def mark_delivered(c: Connection, run_ids: Sequence[str], at: datetime) -> None:
    """Note that the requested stop of these runs has reached their work; the first moment stays."""
    c.batch(DELIVERED, "text", [(run_id,) for run_id in run_ids], (to_us(at),))


def note_progress(c: Connection, run_id: str, fence: int, percent: int) -> bool:
    """How far a running run has come, 0 to 100. False if it is not held with that fence any more."""
    return c.run(PROGRESS, (percent, run_id, fence)) > 0


def find_receipt(c: Connection, run_id: str) -> Receipt | None:
    """What became of a requested stop; None if none was requested."""
    row = c.row(RECEIPT, (run_id,))
    if row is None:
        return None
    state, reason, cause, requested_at, delivered_at, ended_at = row
    as_asked = (state, reason) == STOP_OUTCOMES[cause]
    return Receipt(
        run_id=run_id,
        requested_at=from_us(requested_at),
        delivered_at=from_us_or_none(delivered_at),
        ended_at=from_us_or_none(ended_at),
        result="pending" if ended_at is None else "canceled" if as_asked else "finished_first",
    )


def count_by_state(c: Connection) -> dict[State, int]:
    """How many runs are pending and running."""
    return dict(c.rows(COUNT))

"""Settlement: how attempts end. Every write carries the fence of its claim, and a stale one changes nothing."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import Struct

from rota.core.lease import is_outside
from rota.core.outcome import OutcomeState, StopCause
from rota.core.run import Run
from rota.core.states import Reason, move
from rota.core.task import Status
from rota.store import stopped
from rota.store.connection import Connection
from rota.store.documents import to_text_or_none, without_nul
from rota.store.moments import to_us
from rota.store.runrow import COLUMNS, from_row

# The holder still holds the run. COALESCE keeps the planner from walking all running runs instead of looking up the given ones.
HELD = "runs.id = given.run_id AND runs.fence = given.old_fence AND COALESCE(runs.state, '') = 'running'"
SETTLE = f"""
    WITH given (run_id, old_fence, new_state, at, code, message, why, result, pct) AS ({{values}})
    UPDATE runs SET state = given.new_state, ended_at = given.at, exit_code = given.code, error = given.message,
        reason = given.why, output = given.result, holder = NULL, resumed = 0, progress = COALESCE(given.pct, runs.progress)
    FROM given WHERE {HELD} RETURNING id"""
# The ended attempt of each run that is still held.
KEEP_ATTEMPT = f"""
    WITH given (run_id, old_fence, new_state, at, code, message, why, result) AS ({{values}})
    INSERT INTO attempts (id, run_id, task_id, number, state, reason, created_at, started_at, ended_at, exit_code, error,
        first_line, output)
    SELECT COALESCE(runs.attempt_id, runs.id), runs.id, runs.task_id, runs.attempt, given.new_state, given.why,
        COALESCE(runs.attempt_at, runs.created_at), runs.started_at, given.at, given.code, given.message, runs.first_line,
        given.result
    FROM given JOIN runs ON {HELD} RETURNING run_id"""
# Waits for its retry, unless it was asked to stop meanwhile: then there is no further attempt.
RETRY = f"""
    WITH given (run_id, old_fence, at, due, code, message, why, line, next_id) AS ({{values}})
    UPDATE runs SET state = {stopped.STATE}, admission = {stopped.ADMISSION}, reason = {stopped.reason("given.why")},
        ended_at = {stopped.ended_at("given.at")}, due_at = given.due, exit_code = given.code, error = given.message,
        holder = NULL, resumed = 0, first_line = given.line, attempt_id = given.next_id, attempt_at = given.at,
        progress = NULL
    FROM given WHERE {HELD} RETURNING id, state"""
# The attempt goes on with the next claim, under its own number.
RESUME = f"""
    WITH given (run_id, old_fence) AS ({{values}})
    UPDATE runs SET state = {stopped.STATE}, admission = {stopped.ADMISSION}, reason = {stopped.reason("NULL")},
        ended_at = {stopped.ended_at("CAST(? AS BIGINT)")}, due_at = ?, holder = NULL, resumed = 1
    FROM given WHERE {HELD} RETURNING id, state"""
RUNNING = f"SELECT {COLUMNS} FROM runs WHERE state = 'running'"
# All that has to be known of an attempt that is over, in one look.
FIND = f"""
    SELECT {COLUMNS}, concurrency_key, (SELECT version FROM tasks WHERE tasks.id = runs.task_id),
        (SELECT status FROM tasks WHERE tasks.id = runs.task_id)
    FROM runs WHERE id IN ({{values}})"""


STOP_CAUSES = "SELECT id, stop_cause FROM runs WHERE id IN ({values}) AND stop_cause IS NOT NULL"


class Settlement(Struct, frozen=True):
    """How a run ends. `fence` is that of the claim; `output` any JSON."""

    run_id: str
    fence: int
    state: OutcomeState
    ended_at: datetime
    exit_code: int | None = None
    error: str | None = None
    reason: Reason | None = None
    output: Any = None
    progress: int | None = None


class Ending(NamedTuple):
    """A run of which an attempt is over, its concurrency key, and which state of its task's document is in force."""

    run: Run
    concurrency_key: str | None
    task_version: int
    task_status: Status


class RetrySettlement(Struct, frozen=True):
    """How an attempt ends whose run goes on at `due_at`.

    state      what the attempt came to
    next_id    of the next attempt
    next_line  where the next attempt's output will begin in the run's log
    """

    run_id: str
    fence: int
    state: OutcomeState
    ended_at: datetime
    due_at: datetime
    next_id: str
    exit_code: int | None = None
    error: str | None = None
    reason: Reason | None = None
    next_line: int = 0
    output: Any = None


def list_endings(c: Connection, run_ids: Iterable[str]) -> list[Ending]:
    """Those of the runs that exist, oldest first."""
    rows = sorted(c.batch(FIND, "text", [(run_id,) for run_id in run_ids]))
    return [Ending(from_row(row[:-3]), *row[-3:]) for row in rows]


def settle(c: Connection, rows: Sequence[Settlement]) -> list[str]:
    """End runs. Returns those that were still held with that fence; the others are as they were."""
    values = [
        (
            row.run_id,
            row.fence,
            move("running", row.state),
            to_us(row.ended_at),
            row.exit_code,
            without_nul(row.error),
            row.reason,
            to_text_or_none(row.output),
            row.progress,
        )
        for row in rows
    ]
    return [row[0] for row in c.batch(SETTLE, "text bigint text bigint bigint text text text bigint", values)]


def settle_retry(c: Connection, rows: Sequence[RetrySettlement]) -> list[str]:
    """End attempts and let their runs wait for another, if they were still held with that fence. Returns those that wait.

    A run that was asked to stop meanwhile gets no further attempt: it is ended as that stop says, and is not among them.
    """
    attempts = [
        (r.run_id, r.fence, r.state, to_us(r.ended_at), r.exit_code, without_nul(r.error), r.reason, to_text_or_none(r.output))
        for r in rows
    ]
    c.batch(KEEP_ATTEMPT, "text bigint text bigint bigint text text text", attempts)
    values = [
        (r.run_id, r.fence, *_moments(r), r.exit_code, without_nul(r.error), r.reason, r.next_line, r.next_id) for r in rows
    ]
    found = c.batch(RETRY, "text bigint bigint bigint bigint text text bigint text", values)
    return [run_id for run_id, state in found if state == "pending"]


def _moments(row: RetrySettlement) -> tuple[int, int]:
    return to_us(row.ended_at), to_us(row.due_at)


def resume(c: Connection, rows: Sequence[tuple[str, int]], now: datetime, due_at: datetime) -> list[str]:
    """Let the attempts of a dead holder go on, as (run id, fence): the next claim keeps their number. Returns those that wait.

    A run that was asked to stop meanwhile is ended as that stop says, and is not among them.
    """
    found = c.batch(RESUME, "text bigint", rows, (to_us(now), to_us(due_at)))
    return [run_id for run_id, state in found if state == "pending"]


def list_running(c: Connection, holder: str | None = None) -> list[Run]:
    """Runs that a holder (or any) works on, oldest first."""
    rows = c.rows(f"{RUNNING} AND holder = ?", (holder,)) if holder else c.rows(RUNNING)
    return [from_row(row) for row in sorted(rows)]


def list_orphans(c: Connection, dead_holders: Sequence[str] = (), *, except_holder: str | None = None) -> list[Run]:
    """Running runs of the dead holders or, with `except_holder`, of every server but that one. Oldest first.

    What a worker from outside has is its own: it need not even notice that a server died.
    """
    dead = set(dead_holders)
    held = [run for run in list_running(c) if not is_outside(run.holder)]
    return [run for run in held if run.holder in dead or (except_holder is not None and run.holder != except_holder)]


def list_stop_causes(c: Connection, run_ids: Sequence[str]) -> dict[str, StopCause]:
    """Why these runs were asked to stop; those that were not are left out."""
    return dict(c.batch(STOP_CAUSES, "text", [(run_id,) for run_id in run_ids]))


def mark_reason(c: Connection, run_id: str, why: Reason) -> None:
    """Say of an ended run why it stands where it stands."""
    c.run("UPDATE runs SET reason = ? WHERE id = ? AND ended_at IS NOT NULL", (why, run_id))


def count_returned(c: Connection, run_id: str) -> int:
    """How many claims of a run were given back, with nothing of it begun."""
    row = c.row("SELECT returned FROM runs WHERE id = ?", (run_id,))
    return row[0] if row else 0

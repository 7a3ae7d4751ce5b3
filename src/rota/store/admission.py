"""Admission: which runs wait, which may start, and the claim that starts them. The dispatcher's statements."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from rota.core.limit import queue_order
from rota.core.outcome import StopCause
from rota.core.overlap import Occupancy
from rota.core.run import Run
from rota.core.states import Reason, State, move
from rota.store import stopped
from rota.store.connection import Connection, Row
from rota.store.moments import from_us, from_us_or_none, to_us, to_us_or_none
from rota.store.runrow import COLUMNS, Admission, from_row

PRIORITIES = range(1, 10)
CANDIDATE = "id, task_id, due_at, created_at, priority, attempt, concurrency_key, dedupe_key, instance"
# Two nodes claim at once without waiting for each other; SQLite has one writer.
SKIP_LOCKED = {"sqlite": "", "postgres": "FOR UPDATE SKIP LOCKED"}

# One branch for each priority, so that runs which are due later are never read.
_DUE = f"""SELECT * FROM (
    SELECT {CANDIDATE} FROM runs WHERE admission = 'new' AND priority = {{priority}} AND due_at <= ?
    ORDER BY due_at, id LIMIT ?) AS p{{priority}}"""
LIST_NEW = " UNION ALL ".join(_DUE.format(priority=p) for p in PRIORITIES) + " ORDER BY priority, due_at, id LIMIT ?"
_FIRST = "SELECT MIN(due_at) AS due_at FROM runs WHERE admission = 'new' AND priority = {priority}"
NEXT_DUE = f"SELECT MIN(due_at) FROM ({' UNION ALL '.join(_FIRST.format(priority=p) for p in PRIORITIES)}) AS firsts"

_FIRST_LATER = f"{_FIRST} AND due_at > ?"
_NEXT_LATER = f"SELECT MIN(due_at) FROM ({' UNION ALL '.join(_FIRST_LATER.format(priority=p) for p in PRIORITIES)}) AS firsts"
# Looks into small indexes, all in one: most of them find nothing.
LOOK = f"""
    SELECT EXISTS (SELECT 1 FROM runs WHERE admission = 'held'),
        EXISTS (SELECT 1 FROM runs WHERE gate_until IS NOT NULL AND ended_at IS NULL),
        EXISTS (SELECT 1 FROM runs WHERE stop_cause IS NOT NULL AND state = 'running' AND holder = ?),
        ({_NEXT_LATER})"""

OCCUPANCY = """
    WITH asked (id) AS ({values})
    SELECT id,
        (SELECT COUNT(*) FROM runs WHERE task_id = asked.id AND state = 'running')
            + (SELECT COUNT(*) FROM runs WHERE task_id = asked.id AND admission = 'ready')
            + (SELECT COUNT(*) FROM runs WHERE task_id = asked.id AND admission = 'offered'),
        (SELECT COUNT(*) FROM runs WHERE task_id = asked.id AND admission = 'held')
    FROM asked"""
BUSY_KEYS = """
    WITH asked (name) AS ({values})
    SELECT name FROM asked
    WHERE EXISTS (SELECT 1 FROM runs WHERE concurrency_key = asked.name AND (state = 'running' OR admission = 'ready'))
        OR EXISTS (SELECT 1 FROM runs WHERE concurrency_key = asked.name AND admission = 'offered')"""
# The newest run with a dedupe key that was not refused, and not one that still has to be judged itself.
_LATEST = """
    SELECT {columns} FROM runs
    WHERE dedupe_key = {key} AND state NOT IN ('skipped', 'queue_full', 'missed')
        AND NOT (COALESCE(admission, '') = 'new' AND attempt = 0)
    ORDER BY dedupe_key, created_at DESC, id DESC LIMIT {limit}"""
LATEST = f"""
    WITH asked (name) AS ({{values}})
    SELECT latest.dedupe_key, latest.id, latest.created_at, latest.ended_at
    FROM asked JOIN runs AS latest ON latest.id = ({_LATEST.format(columns="id", key="asked.name", limit=1)})"""
LATEST_FEW = _LATEST.format(columns="id, created_at, ended_at", key="?", limit="?")

SET_READY = """
    UPDATE runs SET admission = 'ready'
    WHERE id IN ({values}) AND COALESCE(admission, '') IN ('new', 'held') RETURNING id"""
# Kept for workers from outside: admitted, and nothing here starts them.
SET_OFFERED = """
    UPDATE runs SET admission = 'offered'
    WHERE id IN ({values}) AND COALESCE(admission, '') IN ('new', 'held') RETURNING id"""
SET_HELD = "UPDATE runs SET admission = 'held' WHERE id IN ({values}) AND COALESCE(admission, '') = 'new' RETURNING id"
# Held as well, and why: nobody is there to carry it out. Written once, however often it is looked at.
MARK_UNPLACED = """
    WITH given (run_id, why) AS ({values})
    UPDATE runs SET reason = 'no_place', error = given.why
    FROM given WHERE runs.id = given.run_id AND COALESCE(runs.admission, '') = 'held'
        AND (COALESCE(runs.reason, '') <> 'no_place' OR COALESCE(runs.error, '') <> given.why) RETURNING id"""
UNPLACED = """
    SELECT error, COUNT(*) FROM runs WHERE admission = 'held' AND reason = 'no_place' AND error IS NOT NULL
    GROUP BY error ORDER BY error"""
# A refused retry keeps what its last attempt came to; an attempt that was to be resumed, and is not, has crashed.
REFUSE = """
    WITH given (run_id, new_state, new_reason, at) AS ({values})
    UPDATE runs SET admission = NULL, ended_at = given.at,
        state = CASE WHEN attempt = 0 THEN given.new_state ELSE COALESCE(
            (SELECT a.state FROM attempts AS a WHERE a.run_id = given.run_id AND a.number = runs.attempt), 'crashed') END,
        exit_code = (SELECT a.exit_code FROM attempts AS a WHERE a.run_id = given.run_id AND a.number = runs.attempt),
        error = (SELECT a.error FROM attempts AS a WHERE a.run_id = given.run_id AND a.number = runs.attempt),
        reason = CASE WHEN attempt = 0 THEN given.new_reason ELSE 'retry_refused' END
    FROM given WHERE runs.id = given.run_id AND COALESCE(runs.state, '') = 'pending' RETURNING id"""

HELD_BY_TASK = f"""
    SELECT {CANDIDATE} FROM runs WHERE admission = 'held' AND task_id = ? ORDER BY priority, due_at, id LIMIT ?"""
HELD_BY_KEY = f"""
    SELECT {CANDIDATE} FROM runs WHERE admission = 'held' AND concurrency_key = ? ORDER BY priority, due_at, id LIMIT ?"""
# Steps from task to task through the index, so that a long queue is not read.
TASKS_WITH_HELD = """
    WITH RECURSIVE found (task_id) AS (
        SELECT (SELECT MIN(task_id) FROM runs WHERE admission = 'held')
        UNION ALL
        SELECT (SELECT MIN(task_id) FROM runs WHERE admission = 'held' AND runs.task_id > found.task_id)
        FROM found WHERE found.task_id IS NOT NULL)
    SELECT task_id FROM found WHERE task_id IS NOT NULL"""

# An attempt that is resumed began when it began.
START = """
    UPDATE runs SET state = 'running', admission = NULL, holder = ?, node = ?,
        started_at = CASE WHEN resumed = 1 THEN started_at ELSE ? END, fence = fence + 1,
        attempt = attempt + 1 - resumed, exit_code = NULL, error = NULL, reason = NULL"""
# The head of the queue, whole: the pick is made once, however the database joins.
CLAIM = f"""
    WITH picked (id) AS MATERIALIZED (
        SELECT id FROM runs WHERE admission = 'ready' {{excluded}} ORDER BY priority, due_at, id LIMIT ? {{skip_locked}})
    {START} WHERE id IN (SELECT id FROM picked) AND COALESCE(admission, '') = 'ready' RETURNING {COLUMNS}"""
CLAIM_DIRECT = {
    "sqlite": f"{START} WHERE id IN ({{values}}) AND COALESCE(admission, '') = 'new' RETURNING {COLUMNS}",
    "postgres": f"""
        WITH picked (id) AS MATERIALIZED (
            SELECT id FROM runs WHERE id IN ({{values}}) AND COALESCE(admission, '') = 'new' ORDER BY id FOR UPDATE SKIP LOCKED)
        {START} WHERE id IN (SELECT id FROM picked) AND COALESCE(admission, '') = 'new' RETURNING {COLUMNS}""",
}
# The exact opposite of a claim, but for the fence, which only rises, and the count of claims that nothing came of.
RELEASE = f"""
    WITH given (run_id, old_fence) AS ({{values}})
    UPDATE runs SET state = {stopped.STATE}, admission = CASE WHEN stop_cause IS NULL THEN CAST(? AS TEXT) END,
        reason = {stopped.reason("NULL")}, ended_at = {stopped.ended_at("CAST(? AS BIGINT)")},
        due_at = COALESCE(CAST(? AS BIGINT), due_at), holder = NULL, returned = returned + 1,
        started_at = CASE WHEN resumed = 1 THEN started_at END,
        attempt = attempt - 1 + resumed
    FROM given WHERE runs.id = given.run_id AND runs.fence = given.old_fence AND COALESCE(runs.state, '') = 'running'
    RETURNING id, state"""
OLDEST_ACTIVE = f"""
    SELECT {COLUMNS} FROM runs WHERE id = (SELECT MIN(id) FROM (
        SELECT MIN(id) AS id FROM runs WHERE task_id = ? AND state = 'running' AND stop_cause IS NULL
        UNION ALL SELECT MIN(id) AS id FROM runs WHERE task_id = ? AND admission = 'ready'
        UNION ALL SELECT MIN(id) AS id FROM runs WHERE task_id = ? AND admission = 'offered') AS firsts)"""


# Stops that have not reached the work yet.
STOPS = """
    SELECT id, stop_cause FROM runs
    WHERE stop_cause IS NOT NULL AND state = 'running' AND holder = ? AND cancel_delivered_at IS NULL ORDER BY id"""
IS_STOPPING = "SELECT 1 FROM runs WHERE task_id = ? AND state = 'running' AND stop_cause IS NOT NULL LIMIT 1"


class Candidate(Struct, frozen=True):
    """What admission needs to know of a run. `dedupe_key` in its stored form."""

    run_id: str
    task_id: str
    due_at: datetime
    created_at: datetime
    priority: int
    attempt: int
    concurrency_key: str | None
    dedupe_key: str | None
    instance: int | None


class Signs(NamedTuple):
    """Whether anything waits in a queue, stands at the gate, or was asked to stop of what a holder has; and when the first of the
    runs that are not due yet is.
    """

    has_held: bool
    has_gated: bool
    has_stops: bool
    next_due_at: datetime | None


def look(c: Connection, holder: str, now: datetime) -> Signs:
    row = c.row(LOOK, (holder, *[to_us(now)] * len(PRIORITIES)))
    assert row is not None  # noqa: S101  it counts, and so always answers
    held, gated, stops, next_due_us = row
    return Signs(bool(held), bool(gated), bool(stops), from_us_or_none(next_due_us))


def _candidate(row: Row) -> Candidate:
    return Candidate(row[0], row[1], from_us(row[2]), from_us(row[3]), *row[4:])


def list_new(c: Connection, now: datetime, limit: int) -> list[Candidate]:
    """Runs that are due and not judged yet, in queue order."""
    values = (to_us(now), limit) * len(PRIORITIES)
    return [_candidate(row) for row in c.rows(LIST_NEW, (*values, limit))]


def next_due(c: Connection) -> datetime | None:
    """When the first of the runs that are not judged yet is due."""
    row = c.row(NEXT_DUE)
    return None if row is None or row[0] is None else from_us(row[0])


def occupancy(c: Connection, task_ids: Iterable[str]) -> dict[str, Occupancy]:
    """How busy each of these tasks is: running, ready and offered runs are active. Every task asked for has an answer."""
    rows = c.batch(OCCUPANCY, "text", [(task_id,) for task_id in set(task_ids)])
    return {task_id: Occupancy(active, held) for task_id, active, held in rows}


def busy_keys(c: Connection, keys: Iterable[str]) -> set[str]:
    """Those of the concurrency keys that a running, ready or offered run holds."""
    return {row[0] for row in c.batch(BUSY_KEYS, "text", [(key,) for key in set(keys)])}


def latest_by_dedupe(c: Connection, keys: Iterable[str], before_run_ids: Iterable[str]) -> dict[str, tuple[datetime, bool]]:
    """For each dedupe key, when the newest run with it was created and whether that is live; keys without one are left out.

    Not counted: refused runs, runs that still have to be judged, and `before_run_ids`, the candidates themselves.
    """
    own = set(before_run_ids)
    found: dict[str, tuple[datetime, bool]] = {}
    for key, run_id, created_at, ended_at in c.batch(LATEST, "text", [(key,) for key in set(keys)]):
        latest = (run_id, created_at, ended_at) if run_id not in own else _latest_other(c, key, own)
        if latest is not None:
            found[key] = (from_us(latest[1]), latest[2] is None)
    return found


def _latest_other(c: Connection, key: str, own: set[str]) -> Row | None:
    return next((row for row in c.rows(LATEST_FEW, (key, len(own) + 1)) if row[0] not in own), None)


def set_ready(c: Connection, run_ids: Sequence[str]) -> list[str]:
    """Let new or held runs start as soon as there is a worker. Returns those that were waiting."""
    return [row[0] for row in c.batch(SET_READY, "text", [(run_id,) for run_id in run_ids])]


def set_offered(c: Connection, run_ids: Sequence[str]) -> list[str]:
    """Keep new or held runs for workers from outside. Returns those that were waiting."""
    return [row[0] for row in c.batch(SET_OFFERED, "text", [(run_id,) for run_id in run_ids])]


def set_held(c: Connection, run_ids: Sequence[str]) -> list[str]:
    """Put new runs into the queues of their tasks. Returns those that were new."""
    return [row[0] for row in c.batch(SET_HELD, "text", [(run_id,) for run_id in run_ids])]


def mark_unplaced(c: Connection, rows: Sequence[tuple[str, str]]) -> list[str]:
    """Say of held runs, as (run id, why), that nobody can carry them out. Returns those of which it was not said yet."""
    return [row[0] for row in c.batch(MARK_UNPLACED, "text text", rows)]


def count_unplaced(c: Connection) -> list[tuple[str, int]]:
    """What keeps held runs from a place, and how many of them each."""
    return [(why, count) for why, count in c.rows(UNPLACED)]


def refuse(c: Connection, rows: Sequence[tuple[str, State, Reason | None, datetime]]) -> list[str]:
    """End pending runs unstarted: (run id, state, reason, moment). Returns those that were pending.

    A run that waits for a retry takes the state of its last attempt instead, with the reason `retry_refused`.
    """
    values = [(run_id, move("pending", state), reason, to_us(at)) for run_id, state, reason, at in rows]
    return [row[0] for row in c.batch(REFUSE, "text text text bigint", values)]


def list_held(c: Connection, task_ids: Sequence[str], keys: Sequence[str], limit: int) -> list[Candidate]:
    """The heads of the queues of these tasks and concurrency keys, in queue order.

    Each queue gives an even share of `limit`, but its first run at least; ask again while it brings work.
    """
    queues = [(HELD_BY_TASK, task_id) for task_id in set(task_ids)] + [(HELD_BY_KEY, key) for key in set(keys)]
    share = max(1, limit // max(1, len(queues)))
    heads = {row[0]: row for statement, name in queues for row in c.rows(statement, (name, share))}
    return sorted(map(_candidate, heads.values()), key=lambda each: queue_order(each.priority, each.due_at, each.run_id))


def list_tasks_with_held(c: Connection) -> list[str]:
    return [row[0] for row in c.rows(TASKS_WITH_HELD)]


def has_ready(c: Connection) -> bool:
    """Whether any run could start at once."""
    return c.row("SELECT 1 FROM runs WHERE admission = 'ready' LIMIT 1") is not None


def count_ready(c: Connection, most: int) -> int:
    """How many could start at once; it stops counting at `most`."""
    row = c.row("SELECT COUNT(*) FROM (SELECT 1 FROM runs WHERE admission = 'ready' LIMIT ?) AS found", (most,))
    return row[0] if row else 0


def claim(
    c: Connection, limit: int, holder: str, now: datetime, task_ids_excluded: Sequence[str] = (), *, node: str | None = None
) -> list[Run]:
    """Take the first `limit` ready runs for `holder`: they are running, with a higher fence. In queue order.

    Two claimers never get the same run. An attempt that is resumed keeps its number.

    node  the name of the holder's node, where there are several
    """
    marks = ", ".join("?" * len(task_ids_excluded))
    excluded = f"AND task_id NOT IN ({marks})" if marks else ""
    statement = CLAIM.format(excluded=excluded, skip_locked=SKIP_LOCKED[c.dialect])
    return _in_queue_order(c.rows(statement, (*task_ids_excluded, limit, holder, node, to_us(now))))


def count_taken(c: Connection, holder: str) -> int:
    """How many runs that are no service's instances a holder has."""
    row = c.row("SELECT COUNT(*) FROM runs WHERE state = 'running' AND instance IS NULL AND holder = ?", (holder,))
    return row[0] if row else 0


def count_taken_by_holder(c: Connection) -> dict[str, int]:
    """The same of all who have any."""
    sql = "SELECT holder, COUNT(*) FROM runs WHERE state = 'running' AND instance IS NULL AND holder IS NOT NULL GROUP BY holder"
    return dict(c.rows(sql))


def claim_direct(c: Connection, run_ids: Sequence[str], holder: str, now: datetime, *, node: str | None = None) -> list[Run]:
    """Take these new runs without the ready step; those that are new no more are left out. In queue order."""
    values = [(run_id,) for run_id in run_ids]
    return _in_queue_order(c.batch(CLAIM_DIRECT[c.dialect], "text", values, (holder, node, to_us(now))))


def _in_queue_order(rows: list[Row]) -> list[Run]:
    return sorted(map(from_row, rows), key=lambda run: queue_order(run.priority, run.due_at, run.id))


def release(
    c: Connection, rows: Sequence[tuple[str, int]], now: datetime, due_at: datetime | None = None, admission: Admission = "new"
) -> list[str]:
    """Give claims back unused, as (run id, fence). Returns the runs that wait again.

    A run that was asked to stop meanwhile is ended as that stop says, and is not among them.

    due_at     None: they keep their place in the queue
    admission  `new` are judged again, and may be refused
    """
    found = c.batch(RELEASE, "text bigint", sorted(rows), (admission, to_us(now), to_us_or_none(due_at)))
    return [run_id for run_id, state in found if state == "pending"]


def oldest_active(c: Connection, task_id: str) -> Run | None:
    """The oldest running, ready or offered run of a task that nobody asked to stop yet."""
    row = c.row(OLDEST_ACTIVE, (task_id, task_id, task_id))
    return None if row is None else from_row(row)


def list_stops(c: Connection, holder: str) -> list[tuple[str, StopCause]]:
    """Runs of this holder that were asked to stop and have not been told yet."""
    return [(run_id, cause) for run_id, cause in c.rows(STOPS, (holder,))]


def is_stopping(c: Connection, task_id: str) -> bool:
    """Whether a running run of the task is on its way out."""
    return c.row(IS_STOPPING, (task_id,)) is not None

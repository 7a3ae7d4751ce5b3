"""Placements: which worker has which attempt. Whoever takes one holds it alone, and only while its claim's fence counts."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from rota.core.lease import holder_of
from rota.core.run import Run
from rota.store.connection import Connection, Dialect
from rota.store.moments import to_us
from rota.store.runrow import COLUMNS, from_row

# Nobody settles the run before the transaction that takes it is over.
SHARE: dict[Dialect, str] = {"sqlite": "", "postgres": " FOR SHARE"}
HELD = "SELECT id, fence FROM runs WHERE id = ? AND fence = ? AND COALESCE(state, '') = 'running'"
NEWER = "placements.fence < excluded.fence"
ANEW = "fence = excluded.fence, worker = excluded.worker, taken_at = excluded.taken_at, closed = 0, finished = NULL"
TAKE = f"""
    INSERT INTO placements (run_id, fence, worker, taken_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (run_id) DO UPDATE SET {ANEW} WHERE {NEWER} RETURNING run_id"""
CLOSE = f"""
    INSERT INTO placements (run_id, fence, closed) VALUES (?, ?, 1)
    ON CONFLICT (run_id) DO UPDATE SET
        closed = 1,
        worker = CASE WHEN {NEWER} THEN NULL ELSE placements.worker END,
        finished = CASE WHEN {NEWER} THEN NULL ELSE placements.finished END,
        fence = excluded.fence
    WHERE placements.fence <= excluded.fence RETURNING worker, finished"""
RECALL = f"""
    INSERT INTO placements (run_id, fence, closed) VALUES (?, ?, 1)
    ON CONFLICT (run_id) DO UPDATE SET closed = 1, worker = NULL, finished = NULL, fence = excluded.fence
    WHERE {NEWER} OR (placements.fence = excluded.fence AND placements.worker IS NULL) RETURNING run_id"""
WORKERS = """
    WITH asked (id) AS ({values})
    SELECT run_id, worker FROM asked JOIN placements ON run_id = asked.id WHERE worker IS NOT NULL AND closed = 0"""
FINISH = """
    UPDATE placements SET finished = ? WHERE run_id = ? AND fence = ? AND worker = ? AND closed = 0 RETURNING run_id"""
FIND = "SELECT worker, finished FROM placements WHERE run_id = ? AND fence = ?"
HOLD = "SELECT 1 FROM placements WHERE run_id = ? AND fence = ? AND worker = ? AND closed = 0"
WITH_WORKERS = """
    SELECT runs.id, nodes.name FROM runs
    JOIN placements ON placements.run_id = runs.id AND placements.fence = runs.fence
    JOIN nodes ON nodes.id = placements.worker
    WHERE COALESCE(runs.state, '') = 'running' AND placements.closed = 0 ORDER BY runs.id LIMIT ?"""
CLEAR = "UPDATE placements SET finished = NULL WHERE run_id IN ({values}) AND closed = 1 RETURNING run_id"
# All but those that a server carries out itself, or a worker from outside.
LIST_OUT = f"""
    SELECT {COLUMNS} FROM runs WHERE state = 'running' AND holder NOT LIKE ?
        AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = runs.holder AND nodes.capacity > 0)"""
ADOPT = f"""
    WITH given (run_id, old_fence) AS ({{values}})
    UPDATE runs SET holder = ? FROM given
    WHERE runs.id = given.run_id AND runs.fence = given.old_fence AND COALESCE(runs.state, '') = 'running'
    RETURNING {", ".join(f"runs.{name.strip()}" for name in COLUMNS.split(","))}"""


class Placement(Struct, frozen=True):
    """What is known of an attempt: the worker that took it, and what it said that it came to, as JSON."""

    worker: str | None
    finished: str | None


def take(c: Connection, run_id: str, fence: int, worker: str, now: datetime) -> bool:
    """A worker begins with an attempt. False if it is not to be done any more, or was taken before, be it by the same one."""
    held = c.row(HELD + SHARE[c.dialect], (run_id, fence))
    return held is not None and c.row(TAKE, (run_id, fence, worker, to_us(now))) is not None


def finish(c: Connection, run_id: str, fence: int, worker: str, finished: str) -> bool:
    """What an attempt came to. False if the worker has it no more: it says nothing about the run, then."""
    return c.row(FINISH, (finished, run_id, fence, worker)) is not None


def find_placement(c: Connection, run_id: str, fence: int) -> Placement | None:
    row = c.row(FIND, (run_id, fence))
    return None if row is None else Placement(*row)


def is_held(c: Connection, run_id: str, fence: int, worker: str) -> bool:
    """Whether the worker may still write for this attempt; nobody ends that before the transaction is over."""
    return c.row(HOLD + SHARE[c.dialect], (run_id, fence, worker)) is not None


def close(c: Connection, run_id: str, fence: int) -> Placement:
    """From now on nobody takes or finishes this attempt. Returns what became of it until then."""
    row = c.row(CLOSE, (run_id, fence))
    return Placement(None, None) if row is None else Placement(*row)


def recall(c: Connection, run_id: str, fence: int) -> bool:
    """From now on nobody takes it. False if somebody has: it is theirs."""
    return c.row(RECALL, (run_id, fence)) is not None


def list_workers(c: Connection, run_ids: Iterable[str]) -> dict[str, str]:
    """Who has which of these; those that nobody has are left out."""
    rows = c.batch(WORKERS, "text", [(run_id,) for run_id in run_ids])
    return {row[0]: row[1] for row in rows}


def list_with_workers(c: Connection, limit: int) -> list[tuple[str, str]]:
    """Runs that workers carry out which are not given up, as (run id, name of the worker), oldest first."""
    return [(row[0], row[1]) for row in c.rows(WITH_WORKERS, (limit,))]


def clear(c: Connection, run_ids: Iterable[str]) -> None:
    """Forget what these came to: it is settled."""
    c.batch(CLEAR, "text", [(run_id,) for run_id in run_ids])


def list_out(c: Connection) -> list[Run]:
    """Attempts that servers have handed out, be those alive or not, oldest first."""
    return [from_row(row) for row in sorted(c.rows(LIST_OUT, (holder_of("%"),)))]


def adopt(c: Connection, keys: Sequence[tuple[str, int]], holder: str) -> list[Run]:
    """Go on with attempts of others under the same fence, as (run id, fence). Returns those that are still running."""
    return [from_row(row) for row in c.batch(ADOPT, "text bigint", keys, (holder,))]


def note_queue(c: Connection, labels: str) -> None:
    """Work will be asked for by this set of labels."""
    c.run("INSERT INTO queues (labels) VALUES (?) ON CONFLICT DO NOTHING", (labels,))


def list_queues(c: Connection) -> list[str]:
    """Every set of labels that work was asked for."""
    return [row[0] for row in c.rows("SELECT labels FROM queues ORDER BY labels")]

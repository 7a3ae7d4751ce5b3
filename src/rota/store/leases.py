"""Leases: which workers from outside have which runs, and until when."""

from collections.abc import Sequence
from datetime import datetime

from rota.core.lease import Lease, holder_of
from rota.core.run import Run
from rota.store.connection import Connection
from rota.store.moments import from_us, from_us_or_none, to_us
from rota.store.runrow import COLUMNS, from_row

# Keeps a run for workers from outside, wherever in the queue it is.
OFFER = "UPDATE runs SET admission = 'offered' WHERE id = ? AND state = 'pending' AND admission <> 'offered' RETURNING id"
# The opposite: the dispatcher judges it.
QUEUE = "UPDATE runs SET admission = 'new', due_at = ? WHERE id = ? AND state = 'pending' AND admission = 'offered' RETURNING id"
# A worker from outside begins an attempt anew, and on no node of ours.
TAKE = f"""
    UPDATE runs SET state = 'running', admission = NULL, holder = ?, started_at = ?, fence = fence + 1, attempt = attempt + 1,
        resumed = 0, exit_code = NULL, error = NULL, reason = NULL
    WHERE id = ? AND COALESCE(admission, '') = 'offered' RETURNING {COLUMNS}"""
# Whoever works on it here has lost it.
TAKE_OVER = f"UPDATE runs SET holder = ?, fence = fence + 1 WHERE id = ? AND state = 'running' RETURNING {COLUMNS}"
PUT = """
    INSERT INTO leases (run_id, fence, until_at, silence_s, is_idle) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (run_id) DO UPDATE SET fence = excluded.fence, until_at = excluded.until_at, silence_s = excluded.silence_s,
        is_idle = excluded.is_idle"""
COLUMNS_OF_LEASE = "run_id, fence, until_at, silence_s, is_idle"
FIND = f"SELECT {COLUMNS_OF_LEASE} FROM leases WHERE run_id = ?"
DUE = f"SELECT {COLUMNS_OF_LEASE} FROM leases WHERE until_at <= ? ORDER BY until_at, run_id LIMIT ?"
DELETE = "DELETE FROM leases WHERE run_id IN ({values}) RETURNING run_id"
STOP_ASKED = "SELECT cancel_requested_at FROM runs WHERE id = ? AND stop_cause IS NOT NULL"


def offer(c: Connection, run_id: str) -> bool:
    """Keep a pending run for workers from outside. False if it is not pending, or kept for them already."""
    return c.row(OFFER, (run_id,)) is not None


def queue(c: Connection, run_id: str, now: datetime) -> bool:
    """Let an offered run be started here. False if it is not offered."""
    return c.row(QUEUE, (to_us(now), run_id)) is not None


def take(c: Connection, run_id: str, worker: str, now: datetime) -> Run | None:
    """Give an offered run to a worker: it is running, with a higher fence. None if it is not offered (any more)."""
    row = c.row(TAKE, (holder_of(worker), to_us(now), run_id))
    return None if row is None else from_row(row)


def take_over(c: Connection, run_id: str, worker: str) -> Run | None:
    """Give a running run to a worker, whoever has it. None if it is not running."""
    row = c.row(TAKE_OVER, (holder_of(worker), run_id))
    return None if row is None else from_row(row)


def put_lease(c: Connection, lease: Lease) -> None:
    """Begin or renew."""
    c.run(PUT, (lease.run_id, lease.fence, to_us(lease.until_at), lease.silence_s, int(lease.is_idle)))


def find_lease(c: Connection, run_id: str) -> Lease | None:
    row = c.row(FIND, (run_id,))
    return None if row is None else _lease(*row)


def list_due(c: Connection, now: datetime, limit: int) -> list[Lease]:
    """Leases that are over, the first of them first."""
    return [_lease(*row) for row in c.rows(DUE, (to_us(now), limit))]


def next_end(c: Connection) -> datetime | None:
    """When the first lease ends."""
    row = c.row("SELECT MIN(until_at) FROM leases")
    return from_us_or_none(row[0]) if row else None


def delete_leases(c: Connection, run_ids: Sequence[str]) -> None:
    c.batch(DELETE, "text", [(run_id,) for run_id in run_ids])


def find_stop_asked(c: Connection, run_id: str) -> datetime | None:
    """When a run was asked to stop."""
    row = c.row(STOP_ASKED, (run_id,))
    return from_us_or_none(row[0]) if row else None


def _lease(run_id: str, fence: int, until_at: int, silence_s: float, is_idle: int) -> Lease:
    return Lease(run_id=run_id, fence=fence, until_at=from_us(until_at), silence_s=silence_s, is_idle=bool(is_idle))

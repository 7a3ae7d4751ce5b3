"""Idempotency keys: the same request, sent twice, starts one run."""

from datetime import datetime

from rota.core.errors import Conflict
from rota.store.connection import Connection
from rota.store.moments import to_us

CLAIM = """
    INSERT INTO idempotency_keys (actor_id, key, request_hash, run_id, created_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING RETURNING run_id"""
FIND = "SELECT request_hash, run_id FROM idempotency_keys WHERE actor_id = ? AND key = ?"
PRUNE = "DELETE FROM idempotency_keys WHERE created_at < ?"


def claim_key(c: Connection, actor_id: str, key: str, request_hash: str, run_id: str, now: datetime) -> str | None:
    """Take a key for a run. None if it is ours now, else the run that it stands for.

    Raises Conflict if the key was used for another request.
    """
    if c.row(CLAIM, (actor_id, key, request_hash, run_id, to_us(now))) is not None:
        return None
    stored_hash, stored_run_id = c.rows(FIND, (actor_id, key))[0]
    if stored_hash != request_hash:
        raise Conflict(f"the idempotency key {key!r} was used for another request", hint="use a new key for a new request")
    return str(stored_run_id)


def prune_keys(c: Connection, before: datetime) -> int:
    """Forget keys from before that moment. Returns how many."""
    return c.run(PRUNE, (to_us(before),))

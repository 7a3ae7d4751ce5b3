"""Tokens that were taken back: kept until they would have expired anyway."""

from datetime import datetime

from rota.store.connection import Connection
from rota.store.moments import to_us

INSERT = "INSERT INTO revoked_tokens (id, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING"
FIND = "SELECT 1 FROM revoked_tokens WHERE id = ?"
PRUNE = "DELETE FROM revoked_tokens WHERE expires_at < ?"


def insert_revocation(c: Connection, token_id: str, expires_at: datetime) -> bool:
    """Whether it was good until now."""
    return c.run(INSERT, (token_id, to_us(expires_at))) == 1


def is_revoked(c: Connection, token_id: str) -> bool:
    return c.row(FIND, (token_id,)) is not None


def prune_revocations(c: Connection, before: datetime) -> int:
    """Forget those that expired before that. Returns how many."""
    return c.run(PRUNE, (to_us(before),))

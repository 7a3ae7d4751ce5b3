"""Devices of users that are told of the ends of runs."""

from datetime import datetime

from msgspec import Struct

from rota.core.push import Platform
from rota.store.connection import Connection, Row
from rota.store.moments import from_us, to_us

MOST = 20

COLUMNS = "id, user_id, token, platform, created_at, last_seen_at"
# A token is one device's, whoever has it now: with another user it gets another id.
TAKE_OVER = "DELETE FROM push_tokens WHERE token = ? AND user_id <> ?"
REGISTER = f"""
    INSERT INTO push_tokens ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (token) DO UPDATE SET platform = excluded.platform, last_seen_at = excluded.last_seen_at
    RETURNING {COLUMNS}"""
# Those beyond the newest so many.
FORGET_OLD = """
    DELETE FROM push_tokens WHERE id IN (
        SELECT id FROM push_tokens WHERE user_id = ? ORDER BY last_seen_at DESC, id DESC LIMIT 1000 OFFSET ?)"""
FIND = f"SELECT {COLUMNS} FROM push_tokens WHERE id = ?"
OF_USER = f"SELECT {COLUMNS} FROM push_tokens WHERE user_id = ? ORDER BY id"


class PushToken(Struct, frozen=True, kw_only=True):
    """A device. `token` is what its push service knows it by; it is told to nobody else."""

    id: str
    user_id: str
    token: str
    platform: Platform
    created_at: datetime
    last_seen_at: datetime


def register_token(c: Connection, token: PushToken) -> PushToken:
    """The device as it stands now: known tokens of the user keep their id. The least recently seen beyond 20 are forgotten."""
    c.run(TAKE_OVER, (token.token, token.user_id))
    seen_at = to_us(token.last_seen_at)
    values = (token.id, token.user_id, token.token, token.platform, to_us(token.created_at), seen_at)
    registered = _token(c.rows(REGISTER, values)[0])
    c.run(FORGET_OLD, (token.user_id, MOST))
    return registered


def find_token(c: Connection, token_id: str) -> PushToken | None:
    row = c.row(FIND, (token_id,))
    return None if row is None else _token(row)


def list_tokens(c: Connection, user_id: str) -> list[PushToken]:
    return [_token(row) for row in c.rows(OF_USER, (user_id,))]


def delete_text(c: Connection, user_id: str, token: str) -> bool:
    """Forget the device of a user with that token, and what it watches. False if there is none."""
    return c.run("DELETE FROM push_tokens WHERE user_id = ? AND token = ?", (user_id, token)) == 1


def delete_token(c: Connection, token_id: str) -> bool:
    return c.run("DELETE FROM push_tokens WHERE id = ?", (token_id,)) == 1


def _token(row: Row) -> PushToken:
    token_id, user_id, token, platform, created_at, last_seen_at = row
    return PushToken(
        id=token_id,
        user_id=user_id,
        token=token,
        platform=platform,
        created_at=from_us(created_at),
        last_seen_at=from_us(last_seen_at),
    )

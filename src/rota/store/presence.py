"""Which devices watch which tasks, and until when that counts."""

from datetime import datetime

from msgspec import Struct

from rota.store.connection import Connection
from rota.store.moments import to_us

SEE = """
    INSERT INTO presence (task_id, push_token_id, user_id, project_id, last_seen_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (task_id, push_token_id) DO UPDATE SET last_seen_at = excluded.last_seen_at, expires_at = excluded.expires_at"""
IS_WATCHED = """
    SELECT 1 FROM presence WHERE task_id = ? AND user_id = ? AND expires_at > ? LIMIT 1"""
FORGET = "DELETE FROM presence WHERE task_id = ? AND push_token_id = ? AND user_id = ?"


class Watching(Struct, frozen=True, kw_only=True):
    """A device of a user that shows a task."""

    task_id: str
    push_token_id: str
    user_id: str
    project_id: int
    last_seen_at: datetime
    expires_at: datetime


def put_watching(c: Connection, watching: Watching) -> None:
    """Note it, or put its end off."""
    seen_at, expires_at = to_us(watching.last_seen_at), to_us(watching.expires_at)
    c.run(SEE, (watching.task_id, watching.push_token_id, watching.user_id, watching.project_id, seen_at, expires_at))


def delete_watching(c: Connection, task_id: str, push_token_id: str, user_id: str) -> bool:
    """Whether it did watch."""
    return c.run(FORGET, (task_id, push_token_id, user_id)) == 1


def is_watched(c: Connection, task_id: str, user_id: str, now: datetime) -> bool:
    """Whether any device of the user watches the task. One whose time is over does not."""
    return c.row(IS_WATCHED, (task_id, user_id, to_us(now))) is not None

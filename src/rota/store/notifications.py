"""The bell: what people are told of on this server itself."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.core.errors import NotFound
from rota.core.notification import Notification
from rota.store.connection import Connection, Row
from rota.store.documents import from_text, to_text, without_nul
from rota.store.moments import from_us, from_us_or_none, to_us, to_us_or_none

COLUMNS = (
    "id, owner_id, kind, severity, title, body, task_id, task_name, run_id, attempt_id, fingerprint, "
    "count, occurrences, created_at, last_at, read_at"
)
INSERT = f"INSERT INTO notifications ({COLUMNS}) VALUES ({', '.join('?' * 16)})"
# What has happened again is news again.
UPDATE = """
    UPDATE notifications SET title = ?, body = ?, run_id = ?, attempt_id = ?, count = ?, occurrences = ?, last_at = ?,
        read_at = NULL, untold = 1
    WHERE id = ?"""
PAGE = f"SELECT {COLUMNS} FROM notifications WHERE COALESCE(owner_id, '') = ? AND id < ? ORDER BY id DESC LIMIT ?"
PAGE_OF_ALL = f"SELECT {COLUMNS} FROM notifications WHERE id < ? ORDER BY id DESC LIMIT ?"
UNTOLD = f"UPDATE notifications SET untold = 0 WHERE untold = 1 RETURNING {COLUMNS}"
SURPLUS = "SELECT id FROM notifications ORDER BY id DESC LIMIT 1 OFFSET ?"


def insert_notification(c: Connection, notification: Notification) -> None:
    n = notification
    c.run(
        INSERT,
        (
            n.id,
            n.owner_id,
            n.kind,
            n.severity,
            n.title,
            without_nul(n.body),
            n.task_id,
            n.task_name,
            n.run_id,
            n.attempt_id,
            n.fingerprint,
            n.count,
            _moments(n.occurrences),
            to_us(n.created_at),
            to_us(n.last_occurred_at),
            to_us_or_none(n.read_at),
        ),
    )


def count_again(c: Connection, notification_id: str, again: Notification, ring: int) -> bool:
    """Add one more occurrence to a line of the bell, which is unread then. Whether there is such a line."""
    before = find_notification(c, notification_id)
    if before is None:
        return False
    moments = [*before.occurrences, again.last_occurred_at][-ring:]
    values = (
        again.title,
        without_nul(again.body),
        again.run_id,
        again.attempt_id,
        before.count + 1,
        _moments(moments),
        to_us(again.last_occurred_at),
    )
    return c.run(UPDATE, (*values, notification_id)) == 1


def find_notification(c: Connection, notification_id: str) -> Notification | None:
    row = c.row(f"SELECT {COLUMNS} FROM notifications WHERE id = ?", (notification_id,))
    return None if row is None else _notification(row)


def list_notifications(
    c: Connection, *, owner_id: str | None = None, everyone: bool = False, before: str | None = None, limit: int
) -> list[Notification]:
    """A page of the owner's (None: the installation's) or everyone's, newest first."""
    if everyone:
        return [_notification(row) for row in c.rows(PAGE_OF_ALL, (before or "~", limit))]
    return [_notification(row) for row in c.rows(PAGE, (owner_id or "", before or "~", limit))]


def count_unread(c: Connection, *, owner_id: str | None = None, everyone: bool = False) -> int:
    of_owner, values = ("", ()) if everyone else ("AND COALESCE(owner_id, '') = ?", (owner_id or "",))
    row = c.row(f"SELECT COUNT(*) FROM notifications WHERE read_at IS NULL {of_owner}", values)
    return int(row[0]) if row else 0


def update_read(c: Connection, notification_id: str, read_at: datetime | None) -> Notification:
    """Note it as read or unread. One that was read before keeps its moment. Raises NotFound."""
    before = find_notification(c, notification_id)
    if before is None:
        raise NotFound(f"no notification {notification_id}")
    kept = (before.read_at or read_at) if read_at else None
    c.run("UPDATE notifications SET read_at = ? WHERE id = ?", (to_us_or_none(kept), notification_id))
    return replace(before, read_at=kept)


def update_all_read(c: Connection, read_at: datetime, *, owner_id: str | None = None, everyone: bool = False) -> int:
    """Returns how many were unread."""
    of_owner, values = ("", ()) if everyone else ("AND COALESCE(owner_id, '') = ?", (owner_id or "",))
    return c.run(f"UPDATE notifications SET read_at = ? WHERE read_at IS NULL {of_owner}", (to_us(read_at), *values))


def take_untold(c: Connection) -> list[Notification]:
    """Those that watchers have not heard of since they changed, oldest first."""
    return [_notification(row) for row in sorted(c.rows(UNTOLD))]


def prune_notifications(c: Connection, keep: int, before: datetime) -> int:
    """Forget all but the newest, and those from before that moment. Returns how many."""
    row = c.row(SURPLUS, (keep,))
    return c.run("DELETE FROM notifications WHERE id <= ? OR last_at < ?", (row[0] if row else "", to_us(before)))


def _moments(moments: Sequence[datetime]) -> str:
    return to_text([to_us(moment) for moment in moments])


def _notification(row: Row) -> Notification:
    (
        notification_id,
        owner_id,
        kind,
        severity,
        title,
        body,
        task_id,
        task_name,
        run_id,
        attempt_id,
        fingerprint,
        count,
        occurrences,
        created_at,
        last_at,
        read_at,
    ) = row
    return Notification(
        id=notification_id,
        owner_id=owner_id,
        kind=kind,
        severity=severity,
        title=title,
        body=body,
        task_id=task_id,
        task_name=task_name,
        run_id=run_id,
        attempt_id=attempt_id,
        fingerprint=fingerprint,
        count=count,
        occurrences=[from_us(us) for us in from_text(occurrences)],
        created_at=from_us(created_at),
        last_occurred_at=from_us(last_at),
        read_at=from_us_or_none(read_at),
    )

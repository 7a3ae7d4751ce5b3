"""Alerts: like happenings that are told together, as long as their window lasts."""

from datetime import datetime

import msgspec

from rota.core.notification import Alert, Note
from rota.store.connection import Connection, Row
from rota.store.documents import to_text
from rota.store.moments import from_us, to_us

COLUMNS = "fingerprint, ends_at, held, note, notification_id"
UPSERT = f"""
    INSERT INTO alerts ({COLUMNS}) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (fingerprint) DO UPDATE SET ends_at = excluded.ends_at, held = excluded.held, note = excluded.note,
        notification_id = excluded.notification_id"""

_decode_note = msgspec.json.Decoder(Note).decode


def find_alert(c: Connection, fingerprint: str) -> Alert | None:
    row = c.row(f"SELECT {COLUMNS} FROM alerts WHERE fingerprint = ?", (fingerprint,))
    return None if row is None else _alert(row)


def upsert_alert(c: Connection, alert: Alert) -> None:
    c.run(UPSERT, (alert.fingerprint, to_us(alert.ends_at), alert.held, to_text(alert.note), alert.notification_id))


def delete_alert(c: Connection, fingerprint: str) -> None:
    c.run("DELETE FROM alerts WHERE fingerprint = ?", (fingerprint,))


def list_over(c: Connection, now: datetime, limit: int) -> list[Alert]:
    """Those whose window has ended, the longest over first."""
    sql = f"SELECT {COLUMNS} FROM alerts WHERE ends_at <= ? ORDER BY ends_at LIMIT ?"
    return [_alert(row) for row in c.rows(sql, (to_us(now), limit))]


def list_holding(c: Connection) -> list[Alert]:
    """Those that hold something back."""
    return [_alert(row) for row in c.rows(f"SELECT {COLUMNS} FROM alerts WHERE held > 0")]


def next_end(c: Connection) -> datetime | None:
    row = c.row("SELECT MIN(ends_at) FROM alerts")
    return None if row is None or row[0] is None else from_us(row[0])


def _alert(row: Row) -> Alert:
    fingerprint, ends_at, held, note, notification_id = row
    return Alert(
        fingerprint=fingerprint, ends_at=from_us(ends_at), held=held, note=_decode_note(note), notification_id=notification_id
    )

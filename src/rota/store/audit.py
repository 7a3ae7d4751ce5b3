"""The audit log: who changed what, written in the change's own transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import Struct

from rota.store.connection import Connection
from rota.store.documents import from_text, to_text
from rota.store.moments import from_us, to_us

INSERT = "INSERT INTO audit (id, actor_id, action, subject_id, details, at) {values} RETURNING id"
PRUNE = "DELETE FROM audit WHERE at < ?"


class Entry(Struct, frozen=True, kw_only=True):
    """One change. `action` is `<noun>.<what was done>`, `subject_id` the id of what was changed."""

    id: str
    actor_id: str
    action: str
    subject_id: str | None
    details: dict[str, Any]
    at: datetime


class EntryPage(NamedTuple):
    """A part of the log, and how long it is."""

    items: list[Entry]
    total: int


def insert_entries(c: Connection, entries: Sequence[Entry]) -> None:
    values = [(e.id, e.actor_id, e.action, e.subject_id, to_text(e.details), to_us(e.at)) for e in entries]
    c.batch(INSERT, "text text text text text bigint", values)


def list_entries(
    c: Connection, *, action: str | None, actor_id: str | None, since: datetime | None, limit: int, offset: int
) -> EntryPage:
    """A page, newest first; every filter that is given narrows."""
    wanted = {"action = ?": action, "actor_id = ?": actor_id, "at >= ?": None if since is None else to_us(since)}
    given = {sql: value for sql, value in wanted.items() if value is not None}
    where, values = " AND ".join(["1 = 1", *given]), tuple(given.values())
    rows = c.rows(
        f"SELECT id, actor_id, action, subject_id, details, at FROM audit WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?",
        (*values, limit, offset),
    )
    items = [
        Entry(id=id_, actor_id=actor, action=what, subject_id=subject, details=from_text(details), at=from_us(at))
        for id_, actor, what, subject, details, at in rows
    ]
    total = c.row(f"SELECT COUNT(*) FROM audit WHERE {where}", values)
    return EntryPage(items, total[0] if total else 0)


def prune_entries(c: Connection, before: datetime) -> int:
    """Forget changes from before that moment. Returns how many."""
    return c.run(PRUNE, (to_us(before),))

"""The audit log: noted with each change, read by who may read everything."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rota.core.actor import Actor
from rota.ops.context import Rota
from rota.store import audit
from rota.store.audit import Entry, EntryPage
from rota.store.database import Connection


def note(c: Connection, rota: Rota, actor: Actor, action: str, subject_id: str | None, **details: Any) -> None:
    """In the transaction of the change itself: there is no change without its line, and no line without its change."""
    note_all(c, [entry_of(rota, actor, action, subject_id, **details)])


def entry_of(rota: Rota, actor: Actor, action: str, subject_id: str | None, **details: Any) -> Entry:
    """A line, to be written with others by `note_all`."""
    return Entry(id=rota.ids.new(), actor_id=actor.id, action=action, subject_id=subject_id, details=details, at=rota.clock.now())


def note_all(c: Connection, entries: Sequence[Entry]) -> None:
    """As `note`."""
    audit.insert_entries(c, entries)


async def list_entries(
    rota: Rota,
    actor: Actor,
    *,
    action: str | None = None,
    actor_id: str | None = None,
    since: datetime | None = None,
    limit: int,
    offset: int = 0,
) -> EntryPage:
    """Newest first. Needs `system.root`."""
    actor.require("system.root")
    return await rota.database.read(
        lambda c: audit.list_entries(c, action=action, actor_id=actor_id, since=since, limit=limit, offset=offset)
    )

"""The bell: what people are told of on this server itself.

Root has everyone's lines; with `own` only those about its own tasks, which for the operator are the installation's.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from rota.core.actor import Actor
from rota.core.errors import NotFound
from rota.core.notification import Notification
from rota.ops import access
from rota.ops.context import Rota
from rota.store import notifications
from rota.store.database import Connection


class NotificationPage(Struct, frozen=True):
    """`next_before` is None on the last page."""

    items: list[Notification]
    next_before: str | None = None


async def list_notifications(
    rota: Rota, actor: Actor, *, before: str | None = None, limit: int = 50, own: bool = False
) -> NotificationPage:
    """Newest first, before the one with that id."""
    found = await rota.database.read(
        lambda c: notifications.list_notifications(c, **_whose(actor, own=own), before=before, limit=limit + 1)
    )
    return NotificationPage(found[:limit], found[limit - 1].id if len(found) > limit else None)


async def count_unread(rota: Rota, actor: Actor, *, own: bool = False) -> int:
    return await rota.database.read(lambda c: notifications.count_unread(c, **_whose(actor, own=own)))


async def mark_read(rota: Rota, actor: Actor, notification_id: str, *, own: bool = False) -> Notification:
    """Raises NotFound. One that was read before keeps its moment."""
    now = rota.clock.now()
    return await _mark(rota, actor, notification_id, lambda: now, own=own)


async def mark_unread(rota: Rota, actor: Actor, notification_id: str, *, own: bool = False) -> Notification:
    """Raises NotFound."""
    return await _mark(rota, actor, notification_id, lambda: None, own=own)


async def mark_all_read(rota: Rota, actor: Actor, *, own: bool = False) -> int:
    """Returns how many were unread."""
    now = rota.clock.now()
    whose = _whose(actor, own=own)
    marked = await rota.database.write(lambda c: notifications.update_all_read(c, now, **whose))
    if marked:
        rota.bus.publish("notification.read", {"owner_id": whose["owner_id"]})
    return marked


async def _mark(
    rota: Rota, actor: Actor, notification_id: str, read_at: Callable[[], datetime | None], *, own: bool
) -> Notification:
    def write(c: Connection) -> Notification:
        found = notifications.find_notification(c, notification_id)
        if found is None or not actor.may_see(found.owner_id) or (own and found.owner_id != access.owner_of(actor)):
            raise NotFound(f"there is no notification {notification_id[:100]!r}")
        return notifications.update_read(c, notification_id, read_at())

    marked = await rota.database.write(write)
    rota.bus.publish("notification.read", {"owner_id": marked.owner_id})
    return marked


def _whose(actor: Actor, *, own: bool) -> dict[str, Any]:
    everyone = actor.is_root and not own
    return {"owner_id": None if everyone else access.owner_of(actor), "everyone": everyone}

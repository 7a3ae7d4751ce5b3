"""The bell: what people are told of on this server itself."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from rota.core.actor import Actor
from rota.core.errors import NotFound
from rota.core.notification import Notification
from rota.ops.context import Rota
from rota.store import notifications
from rota.store.database import Connection


class NotificationPage(Struct, frozen=True):
    """`next_before` is None on the last page."""

    items: list[Notification]
    next_before: str | None = None


async def list_notifications(rota: Rota, actor: Actor, *, before: str | None = None, limit: int = 50) -> NotificationPage:
    """Those about the actor's own tasks, or all for root; newest first, before the one with that id."""
    found = await rota.database.read(
        lambda c: notifications.list_notifications(c, owner_id=actor.id, everyone=actor.is_root, before=before, limit=limit + 1)
    )
    return NotificationPage(found[:limit], found[limit - 1].id if len(found) > limit else None)


async def count_unread(rota: Rota, actor: Actor) -> int:
    return await rota.database.read(lambda c: notifications.count_unread(c, owner_id=actor.id, everyone=actor.is_root))


async def mark_read(rota: Rota, actor: Actor, notification_id: str) -> Notification:
    """Raises NotFound. One that was read before keeps its moment."""
    now = rota.clock.now()
    return await _mark(rota, actor, notification_id, lambda: now)


async def mark_unread(rota: Rota, actor: Actor, notification_id: str) -> Notification:
    """Raises NotFound."""
    return await _mark(rota, actor, notification_id, lambda: None)


async def mark_all_read(rota: Rota, actor: Actor) -> int:
    """Returns how many were unread."""
    now = rota.clock.now()
    marked = await rota.database.write(lambda c: notifications.update_all_read(c, now, owner_id=actor.id, everyone=actor.is_root))
    if marked:
        rota.bus.publish("notification.read", {"owner_id": None if actor.is_root else actor.id})
    return marked


async def _mark(rota: Rota, actor: Actor, notification_id: str, read_at: Callable[[], datetime | None]) -> Notification:
    def write(c: Connection) -> Notification:
        found = notifications.find_notification(c, notification_id)
        if found is None or not actor.may_see(found.owner_id):
            raise NotFound(f"there is no notification {notification_id[:100]!r}")
        return notifications.update_read(c, notification_id, read_at())

    marked = await rota.database.write(write)
    rota.bus.publish("notification.read", {"owner_id": marked.owner_id})
    return marked

"""Handlers of notifications, and the events that tell of them (contract §12, §15)."""

from rota.bus import Notice
from rota.core.notification import Notification
from rota.core.ulid import to_ulid
from rota.http.reply import Reply, no_content, ok
from rota.http.routes import Ask
from rota.ops import notifications
from rota.surfaces.runwisp import translate, wire
from rota.surfaces.runwisp.asking import run_id_of


async def list_notifications(ask: Ask) -> Reply:
    query = ask.query
    before = run_id_of(query.before, "query.before") if query.before else None
    page = await notifications.list_notifications(ask.rota, ask.actor, before=before, limit=query.limit, own=True)
    shown = wire.NotificationPage([translate.notification_wire(item) for item in page.items])
    if page.next_before:
        shown.next_cursor = to_ulid(page.next_before)
    return ok(shown)


async def count_unread(ask: Ask) -> Reply:
    return ok(wire.UnreadCount(await notifications.count_unread(ask.rota, ask.actor, own=True)))


async def mark_all_read(ask: Ask) -> Reply:
    await notifications.mark_all_read(ask.rota, ask.actor, own=True)
    return no_content()


async def mark_read(ask: Ask) -> Reply:
    await notifications.mark_read(ask.rota, ask.actor, _id(ask), own=True)
    return no_content()


async def mark_unread(ask: Ask) -> Reply:
    await notifications.mark_unread(ask.rota, ask.actor, _id(ask), own=True)
    return no_content()


async def event_of(ask: Ask, notice: Notice) -> tuple[str, wire.NotificationEvent | wire.UnreadChanged]:
    """What a notice about the bell is in RunWisp's words."""
    unread, about = await notifications.count_unread(ask.rota, ask.actor, own=True), notice.data.get("notification")
    if isinstance(about, Notification):
        return notice.kind, wire.NotificationEvent(translate.notification_wire(about), unread)
    return "notifications.unread_count_changed", wire.UnreadChanged(unread)


def _id(ask: Ask) -> str:
    return run_id_of(ask.path["id"], "path.id")

"""Handlers of the bell and of the delivery log."""

from rota.http.paging import Page, decode_cursor, encode_cursor, page_of
from rota.http.reply import Reply, ok
from rota.http.routes import Ask
from rota.ops import deliveries, notifications
from rota.surfaces.native import translate, wire


async def list_notifications(ask: Ask) -> Reply:
    before = decode_cursor("notifications", ask.query.cursor)
    page = await notifications.list_notifications(ask.rota, ask.actor, before=before, limit=ask.query.limit)
    return ok(Page(page.items, encode_cursor("notifications", page.next_before) if page.next_before else None))


async def count_unread(ask: Ask) -> Reply:
    return ok(wire.Count(await notifications.count_unread(ask.rota, ask.actor)))


async def mark_all_read(ask: Ask) -> Reply:
    return ok(wire.Count(await notifications.mark_all_read(ask.rota, ask.actor)))


async def mark_read(ask: Ask) -> Reply:
    return ok(await notifications.mark_read(ask.rota, ask.actor, ask.path["id"]))


async def mark_unread(ask: Ask) -> Reply:
    return ok(await notifications.mark_unread(ask.rota, ask.actor, ask.path["id"]))


async def list_deliveries(ask: Ask) -> Reply:
    query, before = ask.query, decode_cursor("deliveries", ask.query.cursor)
    found = await deliveries.list_deliveries(ask.rota, ask.actor, run_id=query.run, before=before, limit=query.limit + 1)
    items, cursor = page_of("deliveries", found, query.limit, lambda delivery: delivery.id)
    return ok(Page([translate.delivery_wire(delivery) for delivery in items], cursor))


async def get_delivery(ask: Ask) -> Reply:
    found = await deliveries.get_delivery(ask.rota, ask.actor, ask.path["id"])
    return ok(translate.delivery_wire(found.delivery, found.tries))


async def replay_delivery(ask: Ask) -> Reply:
    return ok(translate.delivery_wire(await deliveries.replay_delivery(ask.rota, ask.actor, ask.path["id"])))

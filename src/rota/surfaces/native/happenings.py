"""Handlers of events and of the stream of all that happens."""

from collections.abc import AsyncGenerator

from rota.http import sse
from rota.http.reply import JSON, EventReply, Reply, encode
from rota.http.routes import Ask
from rota.ops import events, notices
from rota.surfaces.native import translate


async def publish_event(ask: Ask) -> Reply:
    published = await events.publish_event(ask.rota, ask.actor, ask.body.topic, ask.body.payload)
    return Reply(202, encode(translate.event_wire(published)), JSON)


async def stream_notices(ask: Ask) -> EventReply:
    return EventReply(_notices(ask, ask.header(b"last-event-id") or None))


async def _notices(ask: Ask, after_id: str | None) -> AsyncGenerator[bytes, None]:
    with ask.rota.bus.watch(after_id) as watcher:
        async for notice in notices.watch_notices(ask.rota, ask.actor, watcher):
            yield sse.event(notice.kind, translate.notice_data(notice, ask.rota.modules), notice.id or None)

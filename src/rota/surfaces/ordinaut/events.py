"""Handlers of events."""

from datetime import timedelta

from rota.core.errors import Forbidden, NotFound
from rota.http.reply import Reply, encode, ok
from rota.http.routes import Ask
from rota.ops import events
from rota.surfaces.ordinaut import translate, wire
from rota.surfaces.ordinaut.asking import read_body
from rota.surfaces.ordinaut.errors import BadRequest
from rota.surfaces.ordinaut.moments import stamp


async def publish_event(ask: Ask) -> Reply:
    body = read_body(ask.body, wire.EventBody)
    source_id = str(body.source_agent_id)
    if source_id != ask.actor.id and not ask.actor.is_root:
        raise Forbidden("an event of another agent needs the scope admin")
    try:
        told = await events.publish_event(ask.rota, ask.actor, body.topic, body.payload, source_id=source_id)
    except NotFound:
        raise BadRequest(f"Agent {source_id} not found") from None
    event = told.event
    details = {
        "event_id": event.id,
        "stream_id": translate.stream_id(event),
        "topic": event.topic,
        "triggered_tasks": [run.task_id for run in told.started],
        "triggered_total": told.total,
        "published_at": stamp(event.at),
    }
    message = f"Event published to topic '{event.topic}'"
    return Reply(202, encode(wire.Operation(message=message, details=details)))


async def list_topics(ask: Ask) -> Reply:
    found = await events.list_topics(ask.rota, ask.actor)
    lines = [wire.TopicLine(topic=topic, active_tasks=len(ids), task_ids=ids) for topic, ids in found.items()]
    return ok(wire.Topics(total_topics=len(lines), topics=lines))


async def list_recent(ask: Ask) -> Reply:
    found = [translate.event_wire(heard) for heard in await events.list_recent(ask.rota, ask.actor, ask.query.count)]
    return ok(wire.StreamPage(total_events=len(found), events=found))


async def clean_up(ask: Ask) -> Reply:
    hours = ask.query.max_age_hours
    before = ask.rota.clock.now() - timedelta(hours=hours)
    deleted = await events.prune_events(ask.rota, ask.actor, before)
    cutoff_ms = int(before.timestamp() * 1000)
    details = {"deleted_count": deleted, "max_age_hours": hours, "cutoff_timestamp": cutoff_ms}
    return ok(wire.Operation(message=f"Cleaned up {deleted} events", details=details))

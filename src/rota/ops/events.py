"""Publishing facts that tasks wait for."""

from datetime import datetime
from typing import Any, NamedTuple

from rota.core.actor import Actor
from rota.core.errors import Invalid, NotFound
from rota.core.event import Event, is_end_topic
from rota.core.run import Run
from rota.core.task import Task
from rota.ops import audit
from rota.ops.context import Rota
from rota.store import events, fanout, tasklist, tasks, users
from rota.store.database import Connection


class Published(NamedTuple):
    """An event with the runs it started, those the actor may see. `total` counts all."""

    event: Event
    started: list[Run]
    total: int


async def publish_event(
    rota: Rota, actor: Actor, topic: str, payload: dict[str, Any], *, source_id: str | None = None
) -> Published:
    """Record an event together with the runs it starts. Tasks of every owner start; an actor is told of its own.

    source_id  another than the actor, in whose name it is published: needs `system.root`. Raises NotFound if nobody has that id.

    Raises Invalid at `body.topic` for a topic of ends of runs, which only root may play.
    """
    check_topic(actor, topic)
    now = rota.clock.now()
    event = Event(id=rota.ids.new(), topic=topic, payload=payload, at=now, actor_id=source_id or actor.id)

    def write(c: Connection) -> list[tuple[Run, Task]]:
        _check_source(c, actor, source_id)
        audit.note(c, rota, actor, "event.published", event.id, topic=topic)
        started = [new.run for new in fanout.publish(c, event, rota.ids, now)]
        listeners = tasks.get_tasks(c, [run.task_id for run in started]) if started else {}
        return [(run, listeners[run.task_id]) for run in started]

    started = await rota.database.write(write)
    rota.bus.wake("dispatcher")
    for run, task in started:
        rota.tell_run("run.created", run, task)
    return Published(event, [run for run, task in started if actor.may_see(task.owner_id)], len(started))


def check_topic(actor: Actor, topic: str) -> None:
    """Raises Invalid at `body.topic`."""
    if is_end_topic(topic) and not actor.is_root:
        raise Invalid.at("body.topic", "is kept for ends of runs, which are told by themselves", topic)


class Heard(NamedTuple):
    """An event, with the name of who published it, if that is known."""

    event: Event
    publisher: str | None


async def list_recent(rota: Rota, actor: Actor, count: int) -> list[Heard]:
    """The newest first. Who is not root hears what agents have published, and no ends of runs."""

    def read(c: Connection) -> list[Heard]:
        found = events.list_recent(c, count, everyone=actor.is_root)
        names = users.list_names(c, {event.actor_id for event in found if event.actor_id})
        return [Heard(event, names.get(event.actor_id or "")) for event in found]

    return await rota.database.read(read)


async def list_topics(rota: Rota, actor: Actor) -> dict[str, list[str]]:
    """The active tasks that wait for each topic: the actor's own, for root those of all agents."""
    return await rota.database.read(lambda c: tasklist.list_topics(c, None if actor.is_root else actor.id))


async def prune_events(rota: Rota, actor: Actor, before: datetime) -> int:
    """Forget events from before a moment. Returns how many. Needs `system.root`."""
    actor.require("system.root")

    def write(c: Connection) -> int:
        pruned = events.prune_events(c, before)
        audit.note(c, rota, actor, "event.pruned", None, before=before, count=pruned)
        return pruned

    return await rota.database.write(write)


def _check_source(c: Connection, actor: Actor, source_id: str | None) -> None:
    if source_id in (None, actor.id):
        return
    actor.require("system.root")
    if users.find_user(c, source_id) is None:
        raise NotFound(f"there is no agent {source_id}")

"""Publishing facts that tasks wait for."""

from typing import Any, NamedTuple

from rota.core.actor import Actor
from rota.core.event import Event
from rota.core.run import Run
from rota.core.task import Task
from rota.ops.context import Rota
from rota.store import fanout, tasks
from rota.store.database import Connection


class Published(NamedTuple):
    """An event with the runs it started, those the actor may see. `total` counts all."""

    event: Event
    started: list[Run]
    total: int


async def publish_event(rota: Rota, actor: Actor, topic: str, payload: dict[str, Any]) -> Published:
    """Record an event together with the runs it starts. Tasks of every owner start; an actor is told of its own."""
    now = rota.clock.now()
    event = Event(id=rota.ids.new(), topic=topic, payload=payload, at=now, actor_id=actor.id)

    def write(c: Connection) -> list[tuple[Run, Task]]:
        started = [new.run for new in fanout.publish(c, event, rota.ids, now)]
        listeners = tasks.get_tasks(c, [run.task_id for run in started]) if started else {}
        return [(run, listeners[run.task_id]) for run in started]

    started = await rota.database.write(write)
    rota.bus.wake("dispatcher")
    for run, task in started:
        rota.tell_run("run.created", run, task)
    return Published(event, [run for run, task in started if actor.may_see(task.owner_id)], len(started))

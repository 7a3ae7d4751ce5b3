"""What follows when an operation itself ends runs: the events of their ends, and the notices."""

from collections.abc import Sequence
from datetime import datetime

from rota.core.run import Run
from rota.core.task import Task
from rota.ops.context import Rota
from rota.store import fanout, telling
from rota.store.database import Connection


def publish(c: Connection, rota: Rota, task: Task, ended: Sequence[Run], now: datetime) -> None:
    """Start what waits for these ends, and note whom they concern, in the same transaction as the ends."""
    ends = [(run, task) for run in ended]
    fanout.publish_ends(c, ends, rota.ids, now)
    telling.tell_all(c, rota.rules, ends, rota.ids, now)


def tell(rota: Rota, task: Task, ended: Sequence[Run]) -> None:
    """After that transaction, and outside it: the bus belongs to the event loop, not to the writer's thread."""
    if ended:
        rota.bus.wake("dispatcher")
        rota.bus.wake("notifier")
    for run in ended:
        rota.vitals.ended[run.state] += 1
        rota.tell_run(f"run.{run.state}", run, task)

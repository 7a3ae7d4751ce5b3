"""What follows when an operation itself ends runs: the events of their ends, and the notices."""

from collections.abc import Sequence
from datetime import datetime

from rota.core.run import Run
from rota.core.task import Task
from rota.ops.context import Rota
from rota.store import fanout
from rota.store.database import Connection


def publish(c: Connection, rota: Rota, task: Task, ended: Sequence[Run], now: datetime) -> None:
    """Start what waits for these ends, in the same transaction as the ends."""
    if fanout.publish_ends(c, [(run, task) for run in ended], rota.ids, now):
        rota.bus.wake("dispatcher")


def tell(rota: Rota, task: Task, ended: Sequence[Run]) -> None:
    for run in ended:
        rota.vitals.ended[run.state] += 1
        rota.tell_run(f"run.{run.state}", run, task)

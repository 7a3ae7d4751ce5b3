"""What every loop is given."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from random import Random

from msgspec import Struct, field

from rota.bus import Bus
from rota.clock import Clock
from rota.core.notification import Rules
from rota.core.run import Run
from rota.core.task import Task
from rota.engine.known import KnownTasks
from rota.ids import Ids
from rota.store import telling
from rota.store.database import Connection, Database
from rota.vitals import Vitals


class Engine(Struct, kw_only=True):
    """The parts the loops share.

    node   the name under which this server holds runs; a new one each time it starts
    rules  who is told of what; a reload brings new ones
    has_leases  whether workers from outside had runs when it was last looked
    """

    node: str
    database: Database
    clock: Clock
    bus: Bus
    ids: Ids
    vitals: Vitals
    known: KnownTasks
    rules: Rules = Rules()
    has_leases: bool = False
    random: Random = field(default_factory=Random)

    def tell(self, c: Connection, changed: Sequence[tuple[Run, Task]], now: datetime) -> int:
        """Write what is to be told of these changes, in their own transaction. The notifier is to be woken for any after it."""
        return telling.tell_all(c, self.rules, changed, self.ids, now)

    def announce(self, runs: Iterable[Run], kind: str | None = None) -> None:
        """Tell watchers about runs: as `run.<state>`, or as the kind that is given."""
        for run in runs:
            owner_id = run.owner_id or self.known.owner_id(run.task_id)
            about = {"run": run, "owner_id": owner_id, "task_id": run.task_id}
            self.bus.publish(kind or f"run.{run.state}", about)

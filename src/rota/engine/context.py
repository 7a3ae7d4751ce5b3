"""What every loop is given."""

from collections.abc import Iterable
from random import Random

from msgspec import Struct, field

from rota.bus import Bus
from rota.clock import Clock
from rota.core.run import Run
from rota.engine.known import KnownTasks
from rota.ids import Ids
from rota.store.database import Database
from rota.vitals import Vitals


class Engine(Struct, kw_only=True):
    """The parts the loops share. `node` is the name under which this server holds runs; a new one each time it starts."""

    node: str
    database: Database
    clock: Clock
    bus: Bus
    ids: Ids
    vitals: Vitals
    known: KnownTasks
    random: Random = field(default_factory=Random)

    def announce(self, runs: Iterable[Run], kind: str | None = None) -> None:
        """Tell watchers about runs: as `run.<state>`, or as the kind that is given."""
        for run in runs:
            about = {"run": run, "owner_id": self.known.owner_id(run.task_id), "task_id": run.task_id}
            self.bus.publish(kind or f"run.{run.state}", about)

"""How a worker hears of what happens elsewhere, and is heard: the end of a run that one of its own waits for, for example."""

from rota.bus import MESSAGE
from rota.clock import steady_s
from rota.engine.context import Engine
from rota.engine.known import KnownTasks
from rota.engine.relay import Relay
from rota.engine.seat import Seat
from rota.executors import ProjectExecutor
from rota.ops.context import Rota
from rota.store.listening import Listener
from rota.store.nodes import Node
from rota.store.postgres import PostgresDriver


class Ears:
    """Raises nothing: what is missed is looked for by whoever waits for it."""

    def __init__(self, rota: Rota, node: Node, project: ProjectExecutor) -> None:
        settings = rota.settings
        # There is a server somewhere, as a rule; one that plans, we never are.
        seat = Seat(node=node, steady_s=steady_s, others=1)
        engine = Engine(
            node=node.id, database=rota.database, clock=rota.clock, bus=rota.bus, ids=rota.ids, vitals=rota.vitals,
            known=KnownTasks(settings.scheduler.timezone), seat=seat,
        )  # fmt: skip
        hidden = {MESSAGE: lambda data: project.hear(data["run_id"])}
        # Most of the time nothing here waits for anything there, and then nothing is read of what happens.
        relay = Relay(engine, rota.database, _nobody, hidden, lambda: rota.bus.is_watched)
        url = settings.server.database
        assert url is not None  # noqa: S101  the settings of a worker were checked
        self._listener = Listener(PostgresDriver(url.reveal()), relay.hear, relay.miss)
        self.bring_in = relay.bring_in
        self.listen = self._listener.listen
        rota.bus.outward = relay


def _nobody(name: str) -> None:
    """No loop is called here."""

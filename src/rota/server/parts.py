"""What a server is made of, built from its settings. Nothing is started here."""

import os
import socket
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from msgspec import Struct

from rota import __version__
from rota.blobs import build_blobs
from rota.bus import HALT, LOG_GONE, MESSAGE, RIGHTS, Bus
from rota.clock import Clock, SystemClock
from rota.config import Loaded, Settings, build_rules
from rota.config.origin import Origin
from rota.config.push import build_push
from rota.core.task import Task
from rota.core.work import Outside, Project
from rota.datadir import BLOBS, DATABASE, LOGS
from rota.engine.context import Engine
from rota.engine.dispatcher import Dispatcher
from rota.engine.expirer import Expirer
from rota.engine.known import KnownTasks
from rota.engine.letters import Letters, Speaker
from rota.engine.loop import Loop
from rota.engine.notifier import Keep, Notifier
from rota.engine.pruner import Pruner
from rota.engine.scheduler import Scheduler
from rota.engine.settler import Settler
from rota.engine.supervisor import Supervisor
from rota.executors import Docker, ProjectExecutor, is_durable
from rota.ids import Ids
from rota.logs import LogName, RunLogs
from rota.modules.builtin import gather_given
from rota.modules.pool import Pool
from rota.ops.context import Rota
from rota.ops.door import Door
from rota.ops.machine import Machine
from rota.ops.openlogs import open_what_there_is
from rota.outgoing import Guard, Outgoing
from rota.own_log import OwnLog
from rota.runners import Leavings, LogGrowth, ProcessLedger, Runner
from rota.senders import build_senders
from rota.server.modules import read_again, read_modules
from rota.server.source import Source
from rota.server.units import Units
from rota.server.workshop import build_workshop
from rota.store.database import Database, open_database
from rota.store.moved import refuse_unusable
from rota.store.nodes import Node
from rota.surfaces import build_forms
from rota.surfaces.runwisp.told import show_run
from rota.tools import build_toolbox
from rota.vitals import Vitals

if TYPE_CHECKING:
    from rota.server.cluster import Cluster
    from rota.server.fleet import Fleet

log = structlog.get_logger()


class Parts(Struct, kw_only=True):
    """One server's parts. Surfaces and `ops` see `rota`, the loops see `engine`.

    cluster  what there is beside where it shares its database with other servers
    fleet    what there is beside where workers carry its attempts out
    """

    settings: Settings
    units: Units
    rota: Rota
    engine: Engine
    ledger: ProcessLedger
    runner: Runner
    leavings: Leavings
    pool: Pool
    project: ProjectExecutor
    letters: Letters
    settler: Settler
    dispatcher: Dispatcher
    scheduler: Scheduler
    supervisor: Supervisor
    expirer: Expirer
    pruner: Pruner
    notifier: Notifier
    cluster: "Cluster | None" = None
    fleet: "Fleet | None" = None

    @property
    def loops(self) -> list[Loop]:
        """The settler is first: it outlives the others, to write down what their work came to."""
        loops: list[Loop] = [
            self.settler, self.dispatcher, self.scheduler, self.supervisor, self.expirer, self.pruner, self.notifier
        ]  # fmt: skip
        return [self.cluster.share(loop) for loop in loops] if self.cluster else loops

    def hidden_notices(self) -> dict[str, Callable[[dict[str, Any]], object]]:
        """What other machines tell this one alone, and not those who watch."""
        return {
            LOG_GONE: lambda data: self.rota.logs.delete(msgspec.convert(data["name"], LogName)),
            MESSAGE: lambda data: self.project.hear(data["run_id"]),
            HALT: lambda data: self.runner.ask_stop(data["run_id"], "stop"),
            RIGHTS: lambda data: self.rota.bus.rights.change(data["actor_id"]),
        }

    def look_again(self) -> None:
        """Somebody wrote something, and does not know it: nobody else wakes those who are to act on it."""
        self.engine.known.forget()
        self.dispatcher.look_everywhere()
        for loop in self.loops:
            self.engine.bus.wake(loop.name)

    async def renew_modules(self) -> None:
        """Modules are read again, and loaded again by whoever works on them from now on."""
        await read_again(self.rota.modules, [unit.spec for unit in self.units.all])
        self.pool.renew()

    def tell_by(self, loaded: Loaded) -> None:
        """Who is told of what, and how, is what these settings say; modules that mail do so by these servers."""
        self.rota.modules.give(gather_given(self.settings, loaded.notifying.notifiers))
        self.engine.rules = self.rota.rules = build_rules(
            loaded.settings.notify, loaded.notifying, build_push(loaded.settings.posthog_push)
        )
        self.letters.use(loaded.notifying.notifiers, loaded.settings.posthog_push)


def build_parts(source: Source, loaded: Loaded, own_log: OwnLog) -> Parts:
    """Opens the database, and migrates it. Raises Unavailable where that fails."""
    settings = loaded.settings
    units = Units(loaded.units, Origin(source.path))
    outgoing = Outgoing(Guard(settings.outgoing.private, settings.outgoing.allow))
    growth = LogGrowth()
    rota = build_rota(source, settings, units, outgoing, growth, own_log)
    engine = Engine(
        node=rota.ids.new(), database=rota.database, clock=rota.clock, bus=rota.bus, ids=rota.ids, vitals=rota.vitals,
        known=KnownTasks(settings.scheduler.timezone),
    )  # fmt: skip
    workshop = build_workshop(settings, units, rota, outgoing, growth)
    fleet = _build_fleet(settings, rota, engine)
    runner: Runner = workshop.runner if fleet is None else fleet.runner
    rota.halt, rota.deliver = partial(_halt, runner, rota.bus), workshop.project.deliver
    dispatcher = Dispatcher(engine, runner, partial(_is_outside, settings), is_led=fleet is not None)
    speaker, show = _speaker(settings), partial(show_run, rota.modules)
    letters = Letters(partial(open_what_there_is, rota), loaded.notifying.notifiers, speaker, show)
    settler = Settler(engine, runner, dispatcher, partial(is_durable, workshop.executors))
    parts = Parts(
        settings=settings,
        units=units,
        rota=rota,
        engine=engine,
        ledger=workshop.ledger,
        runner=runner,
        fleet=fleet,
        leavings=workshop.leavings,
        pool=workshop.pool,
        project=workshop.project,
        letters=letters,
        settler=settler,
        dispatcher=dispatcher,
        scheduler=Scheduler(engine),
        supervisor=Supervisor(engine),
        expirer=Expirer(engine, settler),
        pruner=Pruner(engine, rota.logs, settings.storage.max_size, rota.blobs),
        notifier=Notifier(engine, letters, build_senders(outgoing), build_forms(rota), _keep(settings)),
    )
    parts.tell_by(loaded)
    rota.database.on_doubt = parts.look_again
    rota.here = Node(
        id=engine.node, name=settings.server.node or socket.gethostname(),
        labels=[] if fleet else list(settings.server.labels), capacity=0 if fleet else settings.server.max_concurrent_runs,
    )  # fmt: skip
    if settings.server.database is not None and rota.database.dialect == "postgres":
        from rota.server.cluster import build_cluster  # here, for few servers need it

        parts.cluster = build_cluster(parts, growth, settings.server.database.reveal())
    return parts


def _build_fleet(settings: Settings, rota: Rota, engine: Engine) -> "Fleet | None":
    if settings.runner.kind != "temporal":
        return None
    from rota.server.fleet import Fleet  # here, for few servers need it

    return Fleet(settings, rota, engine)


def _halt(runner: Runner, bus: Bus, run_id: str) -> None:
    """End what works on a run, wherever that is."""
    if not runner.ask_stop(run_id, "stop"):
        bus.tell_others(HALT, {"run_id": run_id})


def _is_outside(settings: Settings, task: Task) -> bool:
    """Whether nobody here does its work."""
    work = task.spec.executor
    return settings.project(work.project_id).is_outside if isinstance(work, Project) else isinstance(work, Outside)


def build_rota(source: Source, settings: Settings, units: Units, outgoing: Outgoing, growth: LogGrowth, own_log: OwnLog) -> Rota:
    clock, data = SystemClock(), settings.server.data
    ids = Ids(clock)
    bus = Bus(epoch=ids.new())
    database = _database(settings)
    modules = read_modules(settings, [unit.spec for unit in units.all])
    return Rota(
        database=database,
        clock=clock,
        ids=ids,
        bus=bus,
        logs=RunLogs(data / LOGS, settings.storage.min_free_space),
        blobs=build_blobs(settings.blobs, data / BLOBS, database, clock, settings.storage.min_free_space),
        vitals=Vitals(started_at=clock.now()),
        default_timezone=settings.scheduler.timezone,
        growth=growth,
        door=_door(settings, clock),
        info={
            "data_dir": str(data),
            "config": str(source.path) if source.path else None,
            "timezone": settings.scheduler.timezone,
            "service_managed": source.is_managed,
        },
        settings=settings,
        origin=units.origin,
        files_of=units.files_of,
        own_log=own_log,
        machine=Machine(clock, bus, units.origin),
        capabilities={"docker": Docker(os.environ).find_problem},
        modules=modules,
        tools=build_toolbox(settings, outgoing, modules),
    )


def _database(settings: Settings) -> Database:
    url = settings.server.database
    database = open_database(url.reveal() if url else settings.server.data / DATABASE, use="serve")
    try:
        database.run(refuse_unusable, write=False)
    except BaseException:
        database.close()
        raise
    return database


def _door(settings: Settings, clock: Clock) -> Door:
    access = settings.runwisp
    if access.no_auth:
        log.warning("AUTHENTICATION IS OFF: whoever reaches the RunWisp surface may start and stop everything on it")
    return Door(clock, access.password.reveal() if access.password else None, is_open=access.no_auth)


def _speaker(settings: Settings) -> Speaker:
    return Speaker(socket.gethostname(), __version__, settings.daemon.external_url)


def _keep(settings: Settings) -> Keep:
    return Keep(settings.notify.history_keep, timedelta(seconds=settings.notify.history_keep_for))

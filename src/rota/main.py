"""Puts the server together, starts it, and stops it."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from rota import __version__
from rota import config as settings_file
from rota.bus import Bus
from rota.clock import Clock, SystemClock
from rota.config import Loaded, Settings, Unit, diff_units, report, restart_only_changes
from rota.config.origin import Origin
from rota.core.errors import Conflict, Invalid, RotaError, Unavailable
from rota.core.task import Task
from rota.engine.context import Engine
from rota.engine.dispatcher import Dispatcher
from rota.engine.known import KnownTasks
from rota.engine.letters import Letters, Speaker
from rota.engine.loop import Loop, keep_ticking
from rota.engine.notifier import Keep, Notifier
from rota.engine.pruner import Pruner
from rota.engine.rescuer import Rescuer
from rota.engine.scheduler import Scheduler
from rota.engine.settler import Settler
from rota.engine.supervisor import Supervisor
from rota.executors import Docker, PipelineExecutor, build_executors, is_durable
from rota.http.listeners import Listeners
from rota.ids import Ids
from rota.logs import RunLogs
from rota.ops.agents import SYSTEM_ID, ensure_system_agent
from rota.ops.context import Rota, VariableFiles
from rota.ops.door import Door
from rota.ops.installation import apply_file_tasks
from rota.ops.machine import Machine
from rota.ops.within import Within
from rota.outgoing import Guard, Outgoing
from rota.own_log import OwnLog, set_up_own_log
from rota.runners import LocalRunner, LogGrowth, ProcessLedger
from rota.sd_notify import READY, STOPPING, ServiceManager
from rota.senders import build_senders
from rota.store.database import Database, open_database
from rota.store.owner import take_ownership
from rota.surfaces import CONTROL, FORMS, SURFACES, mounted, runwisp
from rota.surfaces.runwisp.told import show_run
from rota.tools import build_toolbox
from rota.vitals import Vitals

log = structlog.get_logger()

# How long a stopping server still tries to tell what it has to tell; the next start goes on with the rest.
LAST_WORDS_S = 3.0


class Source:
    """Where settings come from: read at the start, and again at each reload."""

    def __init__(self, path: Path | None, environ: Mapping[str, str], flags: Mapping[str, str]) -> None:
        self.path = path or settings_file.find_file(Path.cwd(), environ)
        self._environ = environ
        self.systemd = ServiceManager(environ)
        self._flags = flags

    @property
    def is_managed(self) -> bool:
        """Whether a service manager has started us (systemd.exec(5), INVOCATION_ID)."""
        return "INVOCATION_ID" in self._environ

    def load(self) -> Loaded:
        return settings_file.load(self.path, self._environ, self._flags)


class Server:
    """One server on one data directory, which its caller owns."""

    def __init__(self, source: Source, loaded: Loaded, own_log: OwnLog) -> None:
        self._source = source
        self._units = loaded.units
        self._settings = loaded.settings
        self._system_secret: str | None = None
        self._stopping = asyncio.Event()
        self._serving = asyncio.Event()
        self._one_reload = asyncio.Lock()
        self._reloading: asyncio.Task[None] | None = None
        self._listeners = Listeners(loaded.settings.server.trust_proxy)
        clock, data = SystemClock(), loaded.settings.server.data
        ids, vitals = Ids(clock), Vitals(started_at=clock.now())
        self._database = _open(loaded.settings)
        bus = Bus(epoch=ids.new())
        logs = RunLogs(data / "logs", loaded.settings.storage.min_free_space)
        self._ledger = ProcessLedger(data / "processes.log")
        growth, outgoing = LogGrowth(), _outgoing(loaded.settings)
        self._tools = build_toolbox(loaded.settings, outgoing)
        zone, self._origin = loaded.settings.scheduler.timezone, Origin(source.path)
        self._engine = Engine(
            node=ids.new(), database=self._database, clock=clock, bus=bus, ids=ids, vitals=vitals, known=KnownTasks(zone)
        )
        self._rota = Rota(
            database=self._database,
            clock=clock,
            ids=ids,
            bus=bus,
            logs=logs,
            vitals=vitals,
            default_timezone=zone,
            growth=growth,
            reload=self.reload,
            door=_door(loaded.settings, clock),
            info={
                "data_dir": str(data),
                "config": str(source.path) if source.path else None,
                "timezone": zone,
                "service_managed": source.is_managed,
            },
            settings=loaded.settings,
            origin=self._origin,
            files_of=self._files_of,
            own_log=own_log,
            machine=Machine(clock, bus, self._origin),
            capabilities={"docker": Docker(os.environ).find_problem},
            tools=self._tools,
        )
        executors = build_executors(PipelineExecutor(self._database, self._tools, Within(self._rota)))
        self._runner = LocalRunner(
            executors, logs, clock, bus, self._ledger, self._secrets, loaded.settings.server.max_concurrent_runs, growth
        )
        self._dispatcher = Dispatcher(self._engine, self._runner)
        self._settler = Settler(self._engine, self._runner, self._dispatcher, partial(is_durable, executors))
        self._scheduler = Scheduler(self._engine)
        self._supervisor = Supervisor(self._engine)
        self._pruner = Pruner(self._engine, logs, loaded.settings.storage.max_size)
        self._letters = Letters(logs, loaded.notifying.notifiers, _speaker(loaded.settings), show_run)
        self._notifier = _notifier(self._engine, self._letters, loaded.settings, outgoing)
        self._apply_rules(loaded)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; SIGHUP reloads."""
        loop, systemd = asyncio.get_running_loop(), self._source.systemd
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_by_signal)
        where = self._listen()
        try:
            await self._boot()
            loops = [asyncio.create_task(self._keep(each), name=each.name) for each in self._loops()]
            await self._listeners.start()
            self._serving.set()
            self._greet(where)
            systemd.tell(READY)
            watchdog = asyncio.create_task(systemd.keep_watchdog())
            await self._stopping.wait()
            systemd.tell(STOPPING)
            await self._shut_down(loops)
            watchdog.cancel()
        finally:
            self._rota.machine.close()
            self._engine.bus.wake("closing")  # whoever reads a stream is told that it ends here
            await self._listeners.stop()
            self._ledger.close()
            self._database.close()

    async def reload(self) -> dict[str, Any]:
        """Read the settings again and apply them whole, one reload after the other.

        Raises Invalid with every error of the file, and Conflict for a change that needs a restart; nothing is changed then.
        """
        async with self._one_reload:
            return await self._reload()

    async def _reload(self) -> dict[str, Any]:
        loaded = self._source.load()
        restart_only = restart_only_changes(self._settings, loaded.settings)
        if restart_only:
            raise Conflict(f"only a restart changes {', '.join(restart_only)}", hint="restart the server, or undo that change")
        difference = diff_units(self._units, loaded.units)
        anew = [each.name for each in difference.changed if "secrets" in each.reasons]
        await apply_file_tasks(self._rota, [unit.spec for unit in loaded.units], anew)
        self._keep_units(loaded.units)
        self._apply_rules(loaded)
        log.info("settings read again", added=difference.added, changed=[each.name for each in difference.changed],
                 removed=difference.removed)  # fmt: skip
        changed = [{"name": each.name, "reasons": each.reasons} for each in difference.changed]
        return {"added": difference.added, "changed": changed, "removed": difference.removed}

    def _apply_rules(self, loaded: Loaded) -> None:
        """Who is told of what, and how."""
        self._engine.rules = self._rota.rules = settings_file.build_rules(loaded.settings.notify, loaded.notifying)
        self._letters.use(loaded.notifying.notifiers)

    def _listen(self) -> str:
        where = self._listeners.listen(self._settings.server.listen, mounted(self._rota, SURFACES))
        for listener in self._settings.listen:
            if listener.surface not in SURFACES:
                known = ", ".join(SURFACES)
                raise Invalid.at(f"listen.{listener.address}", f"this version serves {known}", listener.surface)
            self._listeners.listen(listener.address, SURFACES[listener.surface](self._rota))
        if self._settings.daemon.metrics_listen:
            self._listeners.listen(self._settings.daemon.metrics_listen, runwisp.metrics_app(self._rota))
        self._listeners.listen_unix(self._settings.server.data / "rota.sock", mounted(self._rota, CONTROL))
        return where

    async def _boot(self) -> None:
        """What has to be true before anything starts: nobody else's process runs, and the settings are in the store."""
        await Rescuer(self._engine, self._ledger, self._settler).tick()
        await apply_file_tasks(self._rota, [unit.spec for unit in self._units])
        self._keep_units(self._units)
        await self._supervisor.boot()
        await self._scheduler.boot()
        await self._pruner.boot()
        self._system_secret = await ensure_system_agent(self._rota)

    def _loops(self) -> list[Loop]:
        return [self._settler, self._dispatcher, self._scheduler, self._supervisor, self._pruner, self._notifier]

    async def _keep(self, loop: Loop) -> None:
        engine = self._engine
        await keep_ticking(loop, engine.clock, engine.bus, engine.vitals, on_fault=engine.known.forget)

    async def _shut_down(self, loops: list[asyncio.Task[None]]) -> None:
        """Start nothing more, stop everything at once, and write down what it came to."""
        log.info("stopping", runs=self._runner.busy)
        for loop in loops[1:]:
            loop.cancel()
        await asyncio.gather(*loops[1:], return_exceptions=True)
        await self._runner.close(self._settings.daemon.shutdown_timeout)
        loops[0].cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        try:
            while (await self._settler.tick()).again:
                continue
        except Unavailable as error:  # the next start finds these runs without an end, and their processes gone
            log.error("what the last runs came to could not be written", why=error.message)
        await self._tools.close()
        await self._notifier.close(LAST_WORDS_S)

    def _reload_by_signal(self) -> None:
        self._reloading = asyncio.create_task(self._reload_and_tell())

    async def _reload_and_tell(self) -> None:
        await self._serving.wait()  # one that is asked for during the start comes after it
        try:
            with self._source.systemd.reloading():
                await self.reload()
        except RotaError as error:
            log.error("settings not read again: nothing was changed", why=_lines(error))

    def _secrets(self, task: Task) -> Mapping[str, str]:
        if task.source != "file":
            return {}
        return next((unit.secrets for unit in self._units if unit.name == task.name), {})

    def _keep_units(self, units: list[Unit]) -> None:
        self._units = units
        self._origin.note((unit.file for unit in units), self._engine.clock.now())

    def _files_of(self, name: str) -> VariableFiles:
        unit = next((unit for unit in self._units if unit.name == name), None)
        return VariableFiles(unit.env_file, unit.secrets_file) if unit else VariableFiles()

    def _greet(self, where: str) -> None:
        services = sum(unit.spec.service is not None for unit in self._units)
        tasks = len(self._units) - services
        print(
            f"Rota {__version__} serves {_count(tasks, 'task')} and {_count(services, 'service')} from {self._source.path or 'no file'}\n"
            f"  API      http://{where}/v1/    health http://{where}/readyz    metrics http://{where}/metrics\n"
            f"  look     rota tasks · rota runs · rota logs TASK -f        (--data {self._settings.server.data})",
            flush=True,
        )
        if self._system_secret:
            print(f"  agents   the system agent {SYSTEM_ID} has the secret {self._system_secret} (shown this once)", flush=True)


def serve(config: Path | None = None, data: Path | None = None, listen: str | None = None, database: str | None = None) -> int:
    """Run a server until it is told to stop. Returns the exit code: 0, or 1 if it could not start, with nothing started."""
    given = {"server.data": data, "server.listen": listen, "server.database": database}
    flags = {name: str(value) for name, value in given.items() if value is not None}
    try:
        source = Source(config, dict(os.environ), flags)
        loaded = source.load()
        own_log = set_up_own_log(loaded.settings.server.log_level, loaded.settings.server.log_format)
        for warning in loaded.warnings:
            log.warning(str(warning.message), at=warning.location)
        with take_ownership(loaded.settings.server.data):
            _run_in_loop(source, loaded, own_log)
    except RotaError as error:
        print(_lines(error), file=sys.stderr)
        return 1
    return 0


def _run_in_loop(source: Source, loaded: Loaded, own_log: OwnLog) -> None:
    async def run() -> None:
        await Server(source, loaded, own_log).run()

    try:
        import uvloop
    except ImportError:
        asyncio.run(run())
    else:
        uvloop.run(run())


def _open(settings: Settings) -> Database:
    return open_database(settings.server.database.reveal() if settings.server.database else settings.server.data / "rota.db")


def _outgoing(settings: Settings) -> Outgoing:
    return Outgoing(Guard(settings.outgoing.private, settings.outgoing.allow))


def _notifier(engine: Engine, letters: Letters, settings: Settings, outgoing: Outgoing) -> Notifier:
    keep = Keep(settings.notify.history_keep, timedelta(seconds=settings.notify.history_keep_for))
    return Notifier(engine, letters, build_senders(outgoing), FORMS, keep)


def _speaker(settings: Settings) -> Speaker:
    return Speaker(socket.gethostname(), __version__, settings.daemon.external_url)


def _door(settings: Settings, clock: Clock) -> Door:
    access = settings.runwisp
    if access.no_auth:
        log.warning("AUTHENTICATION IS OFF: whoever reaches the RunWisp surface may start and stop everything on it")
    return Door(clock, access.password.reveal() if access.password else None, is_open=access.no_auth)


def _lines(error: RotaError) -> str:
    if isinstance(error, Invalid) and error.problems:
        return "\n".join(report(error))
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

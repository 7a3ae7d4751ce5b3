"""One server: its sockets, its signals, and the parts behind them."""

import asyncio
import signal

import structlog

from rota.config import Loaded, explain
from rota.core.errors import Invalid, RotaError
from rota.datadir import SOCKET
from rota.http.listeners import Listeners
from rota.http.room import Room, half_of_descriptors
from rota.own_log import OwnLog
from rota.sd_notify import READY, STOPPING, ServiceManager
from rota.server import life
from rota.server.greeting import greeting
from rota.server.parts import Parts, build_parts
from rota.server.reload import Reload
from rota.server.source import Source
from rota.surfaces import CONTROL, SURFACES, alone, mounted, runwisp

log = structlog.get_logger()


class Server:
    """On one data directory, which its caller owns."""

    def __init__(self, source: Source, loaded: Loaded, own_log: OwnLog) -> None:
        self._parts = build_parts(source, loaded, own_log)
        self._parts.rota.reload = self._reload = Reload(source, self._parts)
        room = Room(half_of_descriptors(), self._parts.rota.vitals.problems)
        self._listeners = Listeners(loaded.settings.server.trust_proxy, loaded.settings.daemon.tls, room)
        self._systemd = ServiceManager(source.environ)
        self._stopping = asyncio.Event()
        self._serving = asyncio.Event()
        self._reloading: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; SIGHUP reloads."""
        parts = self._parts
        self._obey_signals()
        where = _listen(self._listeners, parts)
        try:
            secret = await life.boot(parts, where)
            loops = life.start_loops(parts)
            await self._listeners.start()
            self._serving.set()
            print(greeting(parts, where, secret), flush=True)  # noqa: T201  for the person at the terminal
            self._systemd.tell(READY)
            watchdog = asyncio.create_task(self._systemd.keep_watchdog())
            await self._stopping.wait()
            self._systemd.tell(STOPPING)
            await life.shut_down(parts, loops)
            watchdog.cancel()
        finally:
            parts.rota.bus.wake("closing")  # whoever reads a stream is told that it ends here
            await self._listeners.stop()
            life.close(parts)

    def _obey_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_by_signal)

    def _reload_by_signal(self) -> None:
        self._reloading = asyncio.create_task(self._reload_and_tell())

    async def _reload_and_tell(self) -> None:
        await self._serving.wait()  # one that is asked for during the start comes after it
        try:
            with self._systemd.reloading():
                await self._reload()
        except RotaError as error:
            log.error("settings not read again: nothing was changed", why=explain(error))
        except Exception:  # the edge of this task: nobody else would tell
            log.exception("settings not read again")


def _listen(listeners: Listeners, parts: Parts) -> str:
    """Open every socket. Returns the address of the main one. Raises Invalid, and Unavailable."""
    rota, settings = parts.rota, parts.settings
    where = listeners.listen(settings.server.listen, mounted(rota, SURFACES))
    for listener in settings.listen:
        if listener.surface not in SURFACES:
            raise Invalid.at(f"listen.{listener.address}", f"this version serves {', '.join(SURFACES)}", listener.surface)
        listeners.listen(listener.address, alone(rota, listener.surface))
    if settings.daemon.metrics_listen:
        listeners.listen(settings.daemon.metrics_listen, runwisp.metrics_app(rota))
    listeners.listen_unix(settings.server.data / SOCKET, mounted(rota, CONTROL))
    return where

"""The sockets a server listens on, all served in one event loop."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from rota.clock import SystemClock
from rota.core.errors import Unavailable
from rota.http.address import behind_proxies
from rota.http.room import Room

BACKLOG = 2048
# Streams that are still open when the server stops are cut after this; their readers resume elsewhere.
LAST_WORDS_S = 1
# How often a server that stops looks whether the last answer is out; uvicorn looks every tenth of a second, and not at once.
LOOK_S = 0.002


class _State(ServerState):
    """Tells the date when a request asks for it, so that nobody has to wake up each second to keep it right."""

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"date", format_datetime(SystemClock().now(), usegmt=True).encode())]

    @default_headers.setter
    def default_headers(self, _headers: list[tuple[bytes, bytes]]) -> None:
        """There are no others."""


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs several of it, and sleeps until it is to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state = _State()
        self._stopping = asyncio.Event()

    async def main_loop(self) -> None:
        await self._stopping.wait()

    def stop(self) -> None:
        self.should_exit = True
        self._stopping.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in, and give those who are answered their time."""
        for each in (*self.servers, *(sockets or ())):
            each.close()
        await asyncio.sleep(LOOK_S)  # whoever was let in last is known by then
        for connection in list(self.server_state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110  two plain sets of uvicorn
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            for task in self.server_state.tasks:
                task.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Listeners:
    """Opens all sockets before it serves any, so that an address in use stops the start and nothing else.

    trusted  networks of the proxies whose forwarded headers count
    tls      files of certificates and of their key: all that listens on TCP speaks HTTPS then
    room     for connections by TCP; those of the control socket are always let in
    """

    def __init__(self, trusted: Sequence[str] = (), tls: tuple[Path, Path] | None = None, room: Room | None = None) -> None:
        self._room = room
        self._trusted = trusted
        self._tls = tls
        self._servers: list[tuple[_Server, socket.socket]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._paths: list[Path] = []

    def listen(self, address: str, app: ASGIApp) -> str:
        """`host:port`. Answers the address that it got, for port 0 the one that was free. Raises Unavailable."""
        tls = self._read_tls()
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, int(port)))
        except OSError as error:
            bound.close()
            hint = "give another address with --listen or in the settings"
            raise Unavailable(f"cannot listen on {address}: {error.strerror or error}", hint=hint) from error
        self._add(bound, behind_proxies(app, self._trusted), self._room, **tls)
        shown = f"[{host}]" if family == socket.AF_INET6 else host
        return f"{shown}:{bound.getsockname()[1]}"

    def listen_unix(self, path: Path, app: ASGIApp) -> None:
        """A socket file that only its owner can open; one that a dead server left is replaced. Raises Unavailable."""
        path.unlink(missing_ok=True)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            bound.bind(_short(path))
        except OSError as error:
            bound.close()
            raise Unavailable(f"cannot make the control socket {path}: {error.strerror or error}") from error
        finally:
            os.umask(before)
        self._paths.append(path)
        self._add(bound, app)

    async def start(self) -> None:
        """Returns when every socket is served."""
        self._tasks = [asyncio.create_task(server.serve([bound])) for server, bound in self._servers]
        while not all(server.started for server, _ in self._servers):
            if any(task.done() for task in self._tasks):
                raise Unavailable("a listener could not be started")
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        for server, _ in self._servers:
            server.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _read_tls(self) -> dict[str, str]:
        """What uvicorn is told of them. Raises Unavailable for files that it could not use."""
        if self._tls is None:
            return {}
        cert, key = self._tls
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key, password=_no_password)
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            raise Unavailable(f"cannot use the certificate {cert} with the key {key}: {error}") from error
        return {"ssl_certfile": str(cert), "ssl_keyfile": str(key)}

    def _add(self, bound: socket.socket, app: ASGIApp, room: Room | None = None, **tls: Any) -> None:
        settings = uvicorn.Config(
            app,
            http=_protocol(room),
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=LAST_WORDS_S,
            **tls,
        )
        self._servers.append((_Server(settings), bound))


def _no_password() -> str:
    """Nobody is there to type one: OpenSSL would ask on the terminal."""
    raise ValueError("the key needs a password")


def _protocol(room: Room | None) -> Any:
    """What uvicorn takes as `http`. Without httptools h11, which keeps no long heads by itself."""
    try:
        from rota.http.guard import GuardedProtocol
    except ImportError:
        from rota.http.plain import CountedH11

        return type("Protocol", (CountedH11,), {"room": room})
    return type("Protocol", (GuardedProtocol,), {"room": room})


def _short(path: Path) -> str:
    """A unix address holds 107 bytes; a longer path is reached through a descriptor of its folder's."""
    full = str(path)
    if len(os.fsencode(full)) < 108:
        return full
    relative = os.path.relpath(full)
    return relative if len(os.fsencode(relative)) < 108 else full

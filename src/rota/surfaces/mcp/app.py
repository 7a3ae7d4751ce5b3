"""The surface as an app: the protocol at its root, and the same tools as plain JSON below."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from rota.core.actor import OPERATOR, Actor
from rota.http.auth import Authenticate, by_bearer, find_bearer
from rota.http.errors import MethodNotAllowed, answer_error
from rota.http.routes import build_app
from rota.ops.context import Rota
from rota.surfaces.mcp import wire
from rota.surfaces.mcp.calling import call_tool
from rota.surfaces.mcp.origin import check_origin
from rota.surfaces.mcp.routes import ROUTES
from rota.surfaces.native.errors import render_problem

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

ROOTS = ("", "/", "/mcp", "/mcp/")
ACTOR = "rota.actor"
# Requests that are under way when the server stops are answered within this; waits end at once.
LAST_WORDS_S = 0.5


def app(rota: Rota, authenticate: Authenticate | None = None) -> "McpApp":
    """Streamable HTTP at `/`, plain JSON at `/tools`. Without `authenticate`, users ask with the Bearer keys that are made
    with `--for native`. To be mounted anywhere; it sees its paths behind `root_path`."""
    known = authenticate or by_bearer(rota, "native")

    async def guarded(scope: Scope) -> Actor:
        check_origin(scope, rota.settings.daemon.external_url)
        return await known(scope)

    return McpApp(rota, guarded)


def control_app(rota: Rota) -> "McpApp":
    """For the control socket, where no browser comes: who shows a key has its rights, who shows none is the operator."""
    by_key = by_bearer(rota, "native")

    async def authenticate(scope: Scope) -> Actor:
        return OPERATOR if find_bearer(scope) is None else await by_key(scope)

    return McpApp(rota, authenticate)


class McpApp:
    """Costs nothing until it is first spoken to. The plain routes never load the SDK."""

    def __init__(self, rota: Rota, authenticate: Authenticate) -> None:
        self._authenticate = authenticate
        self._plain = build_app(rota, ROUTES, authenticate, render_problem)
        self._sessions = Sessions(rota)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
        await (self._speak if path in ROOTS else self._plain)(scope, receive, send)

    async def _speak(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] != "POST":  # there is no session to listen to or to end
                raise MethodNotAllowed(f"{scope['method']} is not possible here", ["POST"])
            actor = await self._authenticate(scope)
            manager = await self._sessions.get()
        except Exception as error:
            await answer_error(error, render_problem).send(send)
            return
        with self._sessions.using():
            await manager.handle_request({**scope, ACTOR: actor}, receive, send)


class Sessions:
    """The SDK's session manager: loaded and begun by the first request, ended with the server, both by one task of its own."""

    def __init__(self, rota: Rota) -> None:
        self._rota = rota
        self._begun: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._holder: asyncio.Task[None] | None = None
        self._users = 0
        self._unused = asyncio.Event()

    @contextmanager
    def using(self) -> Iterator[None]:
        """For the time of a request: the server's end waits for it a little."""
        self._users += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    async def get(self) -> "StreamableHTTPSessionManager":
        if self._begun is None:
            self._begun = asyncio.get_running_loop().create_future()
            self._holder = asyncio.create_task(self._hold(self._begun), name="mcp")
        return await asyncio.shield(self._begun)

    async def _hold(self, begun: "asyncio.Future[StreamableHTTPSessionManager]") -> None:
        try:
            protocol = await asyncio.to_thread(import_module, "rota.surfaces.mcp.protocol")
            manager = protocol.build_sessions(self._call)
            async with manager.run():
                begun.set_result(manager)
                await self._rota.bus.signal("closing").wait()
                await self._last_words()
        except Exception as error:
            if begun.done():
                raise
            begun.set_exception(error)
        finally:
            self._begun = None

    async def _last_words(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                while self._users:
                    await self._unused.wait()

    async def _call(self, request: Any, name: str, arguments: dict[str, Any]) -> wire.Called:
        return await call_tool(self._rota, request.scope[ACTOR], name, arguments)

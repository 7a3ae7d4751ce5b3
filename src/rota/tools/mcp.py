"""`mcp.<server>.<tool>`: tools of MCP servers that the settings name, over stdio and streamable HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import structlog
from msgspec import Struct

from rota import __version__
from rota.outgoing import Outgoing
from rota.tools.base import Call, Tool, ToolFault
from rota.tools.schema import find_problem

if TYPE_CHECKING:
    from mcp import Client
    from mcp import Tool as ServerTool
    from mcp.types import CallToolResult

PREFIX = "mcp."
KEY_META = "rota/idempotencyKey"
CLOSE_S = 8.0
MOST_PAGES = 100
# The SDK's own words, and its server's.
SESSION_LOST = ("Session terminated", "Session not found")

log = structlog.get_logger("rota.tools")


class McpServer(Struct, frozen=True, kw_only=True):
    """Where a server is: a command that speaks over stdio, started when it is first needed, or a URL."""

    name: str
    command: Sequence[str] = ()
    env: Mapping[str, str] = {}
    working_dir: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = {}
    connect_timeout_s: float = 30.0


class McpServers:
    """The family `mcp.`: one session per server, opened at the first call, shared by all, opened anew when it has broken."""

    prefix = PREFIX

    def __init__(self, servers: Sequence[McpServer]) -> None:
        self._sessions = {server.name: Session(server) for server in servers}

    def find(self, name: str) -> Tool | None:
        server, _, tool = name.removeprefix(PREFIX).partition(".")
        session = self._sessions.get(server)
        if session is None or not tool:
            return None
        return Tool(name=name, description=f"{tool} of the MCP server {server}.", call=partial(session.call, tool))

    def find_session(self, server: str) -> "Session | None":
        return self._sessions.get(server)

    async def list_tools(self) -> list[Tool]:
        found = await asyncio.gather(*(session.list_tools() for session in self._sessions.values()), return_exceptions=True)
        return [tool for tools in found if not isinstance(tools, BaseException) for tool in tools]

    async def close(self) -> None:
        await asyncio.gather(*(session.close() for session in self._sessions.values()))


class Session:
    """The connection to one server. It is opened and closed by a task of its own, as the SDK wants both in one task.

    guard  what a URL has to pass that did not come from the settings
    """

    def __init__(self, server: McpServer, guard: Outgoing | None = None) -> None:
        self._server = server
        self._guard = guard
        self._opened: asyncio.Future[Client] | None = None
        self._holder: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._known: dict[str, ServerTool] = {}

    async def call(self, name: str, call: Call) -> dict[str, Any]:
        """Raises ToolFault."""
        return await self.ask(name, call.arguments, call.key)

    async def ask(self, name: str, arguments: Any, key: str) -> dict[str, Any]:
        """The answer of the server's tool of that plain name. Raises ToolFault."""
        async with self._client() as client:
            tool = await self._find(client, name)
            problem = find_problem(tool.input_schema, arguments)
            if problem:
                raise ToolFault(f"{PREFIX}{self._server.name}.{name} cannot take this: {problem}", "InputValidationError")
            meta: Any = {KEY_META: key}
            result = await client.call_tool(name, arguments, meta=meta)
        return _told(result, tool.output_schema)

    def plain_name(self, tool: Tool) -> str:
        """What the server itself calls one of its tools."""
        return tool.name.removeprefix(f"{PREFIX}{self._server.name}.")

    async def list_tools(self) -> list[Tool]:
        """Raises ToolFault."""
        async with self._client() as client:
            self._known = await _listed(client)
        return [self._tool(tool) for tool in self._known.values()]

    async def close(self) -> None:
        holder, self._opened = self._holder, None
        self._closing.set()
        if holder is not None:
            await asyncio.wait([holder], timeout=CLOSE_S)
            holder.cancel()

    def _tool(self, tool: "ServerTool") -> Tool:
        return Tool(
            name=f"{PREFIX}{self._server.name}.{tool.name}",
            description=tool.description or "",
            call=partial(self.call, tool.name),
            input_schema=tool.input_schema,
            output_schema=tool.output_schema or {},
        )

    async def _find(self, client: "Client", name: str) -> "ServerTool":
        if name not in self._known:
            self._known = await _listed(client)
        if name not in self._known:
            raise ToolFault(f"the MCP server {self._server.name} has no tool {name}", "ToolNotFound")
        return self._known[name]

    @asynccontextmanager
    async def _client(self) -> "AsyncIterator[Client]":
        """The open connection; what the server or the way to it does wrong is a ToolFault."""
        if self._opened is None:
            self._open()
        opened = self._opened
        assert opened is not None  # noqa: S101  it was made just now
        client = await asyncio.shield(opened)
        from mcp import MCPError

        try:
            yield client
        except MCPError as error:
            if _is_broken(error):
                self._forget(opened)
            raise ToolFault(f"the MCP server {self._server.name}: {error.message}") from error

    def _open(self) -> None:
        self._closing = asyncio.Event()
        self._opened = asyncio.get_running_loop().create_future()
        self._holder = asyncio.create_task(self._hold(self._opened, self._closing), name=f"mcp {self._server.name}")

    def _forget(self, opened: "asyncio.Future[Client]") -> None:
        """The next call opens it anew. Another call may have done so already."""
        if self._opened is opened:
            self._opened = None
            self._known = {}
            self._closing.set()

    async def _hold(self, opened: "asyncio.Future[Client]", closing: asyncio.Event) -> None:
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(self._server.connect_timeout_s):
                    client = await stack.enter_async_context(_connection(self._server, self._guard))
                opened.set_result(client)
                await closing.wait()
        except Exception as error:
            self._forget(opened)
            log.warning("mcp server", server=self._server.name, why=_words(error))
            if not opened.done():
                opened.set_exception(ToolFault(f"the MCP server {self._server.name} cannot be reached: {_words(error)}"))
                opened.exception()  # whoever waited may be gone


@asynccontextmanager
async def _connection(server: McpServer, guard: Outgoing | None) -> "AsyncIterator[Client]":
    # Loaded with the first session: a second, best spent in a thread, and 40 MB.
    await asyncio.to_thread(import_module, "mcp")
    from mcp import Client
    from mcp.types import Implementation

    me = Implementation(name="rota", version=__version__)
    async with _target(server, guard) as target, Client(target, client_info=me, cache=None) as client:
        yield client


@asynccontextmanager
async def _target(server: McpServer, guard: Outgoing | None) -> AsyncIterator[Any]:
    """What the SDK's client connects to. A command gets a process group of its own, which the SDK ends."""
    if server.url is None:
        from mcp import StdioServerParameters

        command, *arguments = server.command
        yield StdioServerParameters(command=command, args=arguments, env=dict(server.env), cwd=server.working_dir)
        return
    from mcp.client.streamable_http import streamable_http_client

    async with _http_client(server, guard) as http:
        yield streamable_http_client(server.url, http_client=http)


def _http_client(server: McpServer, guard: Outgoing | None) -> Any:
    if guard is not None:
        from rota.tools.guarded import guarded_client

        return guarded_client(guard, server.headers)
    from mcp.shared._httpx_utils import create_mcp_http_client

    return create_mcp_http_client(headers=dict(server.headers))


async def _listed(client: "Client") -> "dict[str, ServerTool]":
    tools: dict[str, ServerTool] = {}
    cursor = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools |= {tool.name: tool for tool in page.tools}
        cursor = page.next_cursor
        if not cursor:
            break
    return tools


def _told(result: "CallToolResult", output_schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """`text` is all text of the answer, `structured` its value, if the tool gives one."""
    content = [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]
    text = "\n".join(block["text"] for block in content if block.get("type") == "text")
    if result.is_error:
        raise ToolFault(text or "the tool failed")
    problem = find_problem(output_schema, result.structured_content) if output_schema else None
    if problem:
        raise ToolFault(f"answered what it should not: {problem}", "OutputValidationError")
    return {"text": text, "structured": result.structured_content, "content": content}


def _is_broken(error: Any) -> bool:
    """Whether the connection has ended, or a server that was started anew does not know the session (404 in HTTP)."""
    from mcp.types import CONNECTION_CLOSED, INVALID_REQUEST

    return error.code == CONNECTION_CLOSED or (error.code == INVALID_REQUEST and error.message in SESSION_LOST)


def _words(error: BaseException) -> str:
    """The first cause inside a group of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"

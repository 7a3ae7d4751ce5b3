"""The Model Context Protocol itself, by its SDK. Imported only when somebody speaks it: a second, and 40 MB."""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from msgspec import to_builtins

from rota import __version__
from rota.core.errors import NotFound
from rota.http.limits import MAX_BODY
from rota.surfaces.mcp import schemas, wire
from rota.surfaces.mcp.asking import McpTool
from rota.surfaces.mcp.text import text_of
from rota.surfaces.mcp.tools import BY_NAME, TOOLS

INSTRUCTIONS = """Rota plans, runs and records tasks. A task says what is done and when; a run is one occurrence of it.
To have something done: create_task, preview_task, run_task, wait_run, read_log. To find out whether something ran: list_slots.
Tasks go by id or name. A refusal tells which argument is wrong, and what to do next."""

# Carries a call out: the request it came with (None over stdio), the tool's name, its arguments.
Call = Callable[[Any, str, dict[str, Any]], Awaitable[wire.Called]]


def build_server(call: Call) -> "Server[Any]":
    async def list_tools(_context: Any, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[_shown(tool) for tool in TOOLS])

    async def call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
        try:
            return _told(await call(context.request, params.name, params.arguments or {}))
        except NotFound as error:
            raise MCPError(INVALID_PARAMS, error.message) from None

    return Server(
        "rota",
        title="Rota",
        version=__version__,
        instructions=INSTRUCTIONS,
        get_tool_input_schema=lambda name: schemas.takes(BY_NAME[name]) if name in BY_NAME else None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def build_sessions(call: Call) -> StreamableHTTPSessionManager:
    """For one server's life. Nothing is kept between requests, so a restart loses nothing; who may ask is checked before.

    Answers are whole JSON, not streams: nothing of ours comes in pieces, and the SDK's streams poll for the end of the server.
    """
    return StreamableHTTPSessionManager(build_server(call), stateless=True, json_response=True, max_request_body_size=MAX_BODY)


async def speak_stdio(call: Call) -> None:
    """On stdin and stdout, until stdin ends."""
    server = build_server(call)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _shown(tool: McpTool) -> Tool:
    hints = ToolAnnotations(
        read_only_hint=tool.reads,
        destructive_hint=tool.destroys,
        idempotent_hint=tool.reads or tool.repeats,
        open_world_hint=False,
    )
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=schemas.takes(tool),
        output_schema=schemas.answers(tool),
        annotations=hints,
    )


def _told(called: wire.Called) -> CallToolResult:
    shown = called.result if called.error is None else called.error
    return CallToolResult(
        content=[TextContent(type="text", text=text_of(called))], structured_content=to_builtins(shown), is_error=not called.ok
    )

"""A call of a tool: read, authorised, carried out, and told with what was wrong with it."""

from typing import Any

import msgspec
import structlog

from rota.core.actor import Actor
from rota.core.errors import Invalid, RotaError
from rota.http.errors import Fault
from rota.ops import reading
from rota.ops.context import Rota
from rota.surfaces.mcp import wire
from rota.surfaces.mcp.asking import Ask, McpTool
from rota.surfaces.mcp.tools import get_tool

log = structlog.get_logger()

# How `ops` name the place of a value, and what the argument is called here.
ARGUMENTS = {"header.Idempotency-Key": "idempotency_key", "query.cursor": "cursor"}


async def call_tool(rota: Rota, actor: Actor, name: str, arguments: dict[str, Any]) -> wire.Called:
    """Whatever goes wrong is told in the answer, but for NotFound of a tool that does not exist."""
    tool = get_tool(name)
    try:
        actor.require_scope(*tool.scopes)
        given = _read(tool, arguments)
        result = await tool.handler(Ask(rota, actor, given))
    except Exception as error:
        return wire.Called(ok=False, tool=name, error=fault_of(error, tool))
    return wire.Called(ok=True, tool=name, result=result)


def _read(tool: McpTool, arguments: dict[str, Any]) -> Any:
    """As a body of JSON is read, so that the same is refused. Raises Invalid at `arguments.<field>`."""
    try:
        raw = msgspec.json.encode(arguments)
    except (OverflowError, UnicodeEncodeError, RecursionError):
        raise Invalid.at(
            "arguments", "hold what cannot be stored: a number or a depth beyond bounds, or half a character"
        ) from None
    return reading.decode(msgspec.json.Decoder(tool.takes), raw, "arguments")


def fault_of(error: Exception, tool: McpTool) -> wire.Fault:
    """The error as its asker may see it; what is not meant for them stands in the server's log."""
    if not isinstance(error, RotaError):
        log.error("a tool failed", tool=tool.name, exc_info=error)
        error = Fault("the server made a mistake; its log tells more")
    problems = error.problems if isinstance(error, Invalid) else []
    fields = [wire.FieldFault(_place(problem.location, tool), problem.message) for problem in problems]
    message = f"{fields[0].location}: {fields[0].message}" if fields else error.message
    return wire.Fault(code=error.code, message=message, hint=error.hint, fields=fields)


def _place(location: str, tool: McpTool) -> str:
    head, _, rest = location.partition(".")
    if head == "arguments":
        return rest or "arguments"
    return f"{tool.place}{rest}" if head == "body" else ARGUMENTS.get(location, location)

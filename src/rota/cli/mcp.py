"""`rota mcp`: an MCP server on stdin and stdout, for an assistant that starts it."""

import asyncio
from typing import TYPE_CHECKING, Any

import click
from msgspec import convert

from rota.cli.client import open_client
from rota.cli.command import with_place
from rota.cli.errors import OK, Failure
from rota.cli.place import Place
from rota.core.errors import RotaError

if TYPE_CHECKING:
    from rota.surfaces.mcp.wire import Called

# Beyond what a tool itself may wait.
SLACK_S = 10.0


@click.command("mcp", short_help="Let an assistant use Rota, over stdin and stdout.")
@click.option("--key", envvar="ROTA_KEY", metavar="KEY", help="A native key whose rights the assistant has; also ROTA_KEY.")
@with_place
def command(place: Place, *, key: str | None) -> int:
    """Let an assistant use Rota: speak the Model Context Protocol on stdin and stdout until stdin ends.

    The running server is asked through its control socket, at each call anew; with it down, what needs no server works on the
    stored data. Without a key the assistant may do everything the operator may.
    """
    from rota.surfaces.mcp.protocol import speak_stdio

    async def call(_request: Any, name: str, arguments: dict[str, Any]) -> "Called":
        return await asyncio.to_thread(call_tool, place, key, name, arguments)

    asyncio.run(speak_stdio(call))
    return OK


def call_tool(place: Place, key: str | None, name: str, arguments: dict[str, Any]) -> "Called":
    """What the server answers, or why it could not be asked. Raises NotFound for a tool that does not exist."""
    from rota.surfaces.mcp.tools import get_tool
    from rota.surfaces.mcp.wire import LONGEST_WAIT_S, Called

    tool = get_tool(name)
    needed = tool.title.lower() if tool.needs_server else None
    try:
        with open_client(place, for_server=needed, key=key, reply_s=LONGEST_WAIT_S + SLACK_S) as client:
            return convert(client.post(f"/mcp/tools/{tool.name}", arguments), Called)
    except RotaError as error:
        failure = Failure.of(error)
    except Failure as error:
        failure = error
    return Called(ok=False, tool=tool.name, error=_fault(failure))


def _fault(failure: Failure) -> Any:
    from rota.surfaces.mcp.wire import Fault, FieldFault

    fields = [FieldFault(problem.location, problem.message) for problem in failure.problems]
    return Fault(code=failure.code, message=failure.message, hint=failure.hint, fields=fields)

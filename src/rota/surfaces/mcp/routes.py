"""The tools without the protocol, route by route: plain JSON, as Ordinaut's `/ext/mcp_http` has them."""

from typing import Any

from rota import __version__
from rota.http.reply import Reply, ok
from rota.http.routes import Ask, Route
from rota.surfaces.mcp import schemas, wire
from rota.surfaces.mcp.calling import call_tool
from rota.surfaces.mcp.tools import TOOLS, get_tool


async def get_about(_ask: Ask) -> Reply:
    return ok(wire.About(version=__version__, tools=len(TOOLS)))


async def shake_hands(ask: Ask) -> Reply:
    return ok(wire.Handshake(version=__version__, session_id=ask.rota.ids.new(), tools=[tool.name for tool in TOOLS]))


async def list_tools(_ask: Ask) -> Reply:
    return ok([wire.Listed(tool.name, tool.description) for tool in TOOLS])


async def get_schema(ask: Ask) -> Reply:
    tool = get_tool(ask.path["name"])
    told = wire.Described(name=tool.name, title=tool.title, description=tool.description,
                          input_schema=schemas.takes(tool), output_schema=schemas.answers(tool))  # fmt: skip
    return ok(told)


async def call(ask: Ask) -> Reply:
    return ok(await call_tool(ask.rota, ask.actor, ask.path["name"], ask.body))


ROUTES: tuple[Route, ...] = (
    Route(method="GET", path="/meta", handler=get_about, summary="What this is", reply=wire.About),
    Route(
        method="POST", path="/handshake", handler=shake_hands, summary="Begin a conversation",
        body=dict[str, Any], body_optional=True, reply=wire.Handshake,
    ),
    Route(method="GET", path="/tools", handler=list_tools, summary="The tools", reply=list[wire.Listed]),
    Route(
        method="GET", path="/tools/{name}/schema", handler=get_schema, summary="What a tool takes and answers",
        reply=wire.Described, errors=(404,),
    ),
    Route(
        method="POST", path="/tools/{name}", handler=call, summary="Call a tool; the body is its arguments",
        body=dict[str, Any], body_optional=True, reply=wire.Called, errors=(404,),
    ),
)  # fmt: skip

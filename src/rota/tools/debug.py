"""Tools that do nothing but show what they are given."""

from typing import Any

from rota.core.pipeline.template import to_text
from rota.tools.base import Call, Tool


async def _echo(call: Call) -> Any:
    return call.arguments


async def _log(call: Call) -> Any:
    message = to_text(call.arguments["message"])
    call.note(message)
    return {"logged": True, "message": message}


async def _nothing(_: Call) -> Any:
    return {}


async def _echo_test(call: Call) -> Any:
    return {"echoed": call.arguments["message"]}


MESSAGE = {"type": "object", "required": ["message"]}
ECHO = Tool(name="debug.echo", description="Answers what it is given.", call=_echo)
LOG = Tool(
    name="debug.log",
    description="Writes `message` into the run's log.",
    call=_log,
    input_schema=MESSAGE,
    output_schema={"type": "object", "required": ["logged", "message"]},
)
NOOP = Tool(name="noop", description="Does nothing.", call=_nothing)
ECHO_TEST = Tool(
    name="echo.test",
    description="Answers `message` as `echoed`.",
    call=_echo_test,
    input_schema=MESSAGE,
    output_schema={"type": "object", "required": ["echoed"]},
)

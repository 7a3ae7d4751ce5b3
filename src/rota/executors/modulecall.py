"""A module inside a longer attempt: a step of a pipeline."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from rota.core.outcome import Outcome
from rota.executors.base import Context, StopRequest
from rota.executors.module import ModuleExecutor
from rota.tools import ToolFault


async def call_module(modules: ModuleExecutor, context: Context, key: str, name: str, params: dict[str, Any]) -> Any:
    """Its output. Raises ToolFault. Whoever cancels this asks the module to stop, and waits until it has."""
    stop = StopRequest()
    stop.hurry = context.stop.hurry
    inner = replace(context, stop=stop, on_delivered=lambda: None)
    work = asyncio.ensure_future(modules.carry_out(inner, name, params, key))
    try:
        outcome = await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.ask(context.stop.cause or "timeout")
        await work
        raise
    if outcome.memory is not None:
        await modules.save_state(context.run, outcome.memory, datetime.fromtimestamp(context.now_ms() / 1000, UTC))
    if outcome.state != "succeeded":
        raise ToolFault(_why(outcome), "InputValidationError" if outcome.final else "ToolFailed")
    return outcome.output


def _why(outcome: Outcome) -> str:
    return outcome.error or outcome.reason or outcome.state

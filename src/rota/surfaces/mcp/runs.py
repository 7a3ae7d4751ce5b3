"""Tools for runs, their logs, events, and what pipelines can call."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from rota.core.run import Receipt
from rota.core.states import ENDED
from rota.http.paging import Page, decode_cursor, page_of
from rota.logs import LogPage
from rota.ops import events, runlogs, runs, steps
from rota.surfaces.mcp import wire
from rota.surfaces.mcp.asking import Ask
from rota.surfaces.native import translate
from rota.surfaces.native.wire import Event, Run, StepList
from rota.tools import ToolInfo

T = TypeVar("T")


async def list_runs(ask: Ask) -> Page[Run]:
    given = ask.given
    before = decode_cursor("runs", given.cursor)
    found = await runs.list_runs(
        ask.rota, ask.actor, task=given.task, states=given.states or None, before=before, limit=given.limit + 1
    )
    items, cursor = page_of("runs", found, given.limit, lambda run: run.id)
    return Page([translate.run_wire(run, ask.rota.modules) for run in items], cursor)


async def get_run(ask: Ask) -> Run:
    return translate.run_wire(await runs.get_run(ask.rota, ask.actor, ask.given.run_id), ask.rota.modules)


async def list_steps(ask: Ask) -> StepList:
    return translate.steps_wire(await steps.list_steps(ask.rota, ask.actor, ask.given.run_id))


async def wait_run(ask: Ask) -> wire.Waited:
    run_id = ask.given.run_id
    waited = await _while_serving(ask, runs.wait_answer(ask.rota, ask.actor, run_id, ask.given.wait_s))
    run = waited or await runs.get_run(ask.rota, ask.actor, run_id)
    return wire.Waited(translate.run_wire(run, ask.rota.modules), run.state in ENDED)


async def cancel_run(ask: Ask) -> Receipt:
    asked = await runs.cancel_run(ask.rota, ask.actor, ask.given.run_id)
    if asked.ended_at is not None or not ask.given.wait_s:
        return asked
    await _while_serving(ask, runs.wait_answer(ask.rota, ask.actor, ask.given.run_id, ask.given.wait_s))
    return await runs.cancel_run(ask.rota, ask.actor, ask.given.run_id)


async def read_log(ask: Ask) -> LogPage:
    given = ask.given
    return await runlogs.get_log_page(ask.rota, ask.actor, given.run_id, from_line=given.from_line, limit=given.limit)


async def publish_event(ask: Ask) -> Event:
    return translate.event_wire(await events.publish_event(ask.rota, ask.actor, ask.given.topic, ask.given.payload))


async def list_step_tools(ask: Ask) -> wire.StepTools:
    toolbox = ask.rota.tools
    return wire.StepTools([_tool(info) for info in [*toolbox.describe(), *await toolbox.describe_families()]])


async def _while_serving(ask: Ask, waiting: Coroutine[Any, Any, T]) -> T | None:
    """What comes of waiting, or None when the server stops first."""
    task, closing = asyncio.create_task(waiting), asyncio.create_task(ask.rota.bus.signal("closing").wait())
    try:
        await asyncio.wait((task, closing), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        closing.cancel()


def _tool(info: ToolInfo) -> wire.StepTool:
    return wire.StepTool(
        name=info.name,
        description=info.description,
        input_schema=dict(info.input_schema),
        output_schema=dict(info.output_schema),
        right=info.right,
        scopes=list(info.scopes),
    )

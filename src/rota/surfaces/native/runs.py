"""Handlers of runs and their logs."""

from collections.abc import AsyncGenerator, AsyncIterator

from rota.http import sse
from rota.http.paging import Page, decode_cursor, page_of
from rota.http.reply import EventReply, Reply, ok
from rota.http.routes import Ask
from rota.logs import LogPage
from rota.ops import runlogs, runs, steps
from rota.ops.runlogs import Words
from rota.surfaces.native import translate, wire

# The last line is written a moment before the run is settled.
SETTLE_S = 10.0


async def list_runs(ask: Ask) -> Reply:
    query, states = ask.query, translate.read_states(ask.query.state)
    before, limit = decode_cursor("runs", query.cursor), query.limit
    found = await runs.list_runs(ask.rota, ask.actor, task=query.task, states=states, before=before, limit=limit + 1)
    items, cursor = page_of("runs", found, limit, lambda run: run.id)
    return ok(Page([translate.run_wire(run, ask.rota.modules) for run in items], cursor))


async def get_run(ask: Ask) -> Reply:
    return ok(translate.run_wire(await runs.get_run(ask.rota, ask.actor, ask.path["id"]), ask.rota.modules))


async def list_attempts(ask: Ask) -> Reply:
    return ok(wire.AttemptList(await runs.list_attempts(ask.rota, ask.actor, ask.path["id"])))


async def list_steps(ask: Ask) -> Reply:
    return ok(translate.steps_wire(await steps.list_steps(ask.rota, ask.actor, ask.path["id"])))


async def cancel_run(ask: Ask) -> Reply:
    return ok(await runs.cancel_run(ask.rota, ask.actor, ask.path["id"], wait_s=ask.query.wait))


async def get_log(ask: Ask) -> Reply:
    query = ask.query
    return ok(await runlogs.get_log_page(ask.rota, ask.actor, ask.path["id"], from_line=query.start, limit=query.limit))


async def stream_log(ask: Ask) -> EventReply:
    last = translate.read_last_line(ask.header(b"last-event-id"))
    start = ask.query.start if last is None else last + 1
    pages = await runlogs.follow_log(ask.rota, ask.actor, ask.path["id"], from_line=start, with_words=ask.query.words)
    return EventReply(_lines(ask, pages))


async def _lines(ask: Ask, pages: AsyncIterator[LogPage | Words]) -> AsyncGenerator[bytes, None]:
    async for page in pages:
        if isinstance(page, Words):
            yield sse.event("words", page)
            continue
        yield b"".join(sse.event("line", line, line.n) for line in page.lines)
    run = await runs.wait_run(ask.rota, ask.actor, ask.path["id"], SETTLE_S)
    yield sse.event("done", wire.LogDone(run.id, run.state))

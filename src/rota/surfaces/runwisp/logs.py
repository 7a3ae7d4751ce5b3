"""Handlers of logs: pages, the whole text, and lines as they are written."""

from collections.abc import AsyncGenerator, AsyncIterator

from rota.http import sse
from rota.http.reply import EventReply, PieceReply, Reply, ok
from rota.http.routes import Ask
from rota.ops import attemptlogs, occurrences
from rota.ops.attemptlogs import Progress
from rota.surfaces.runwisp import translate, wire, words
from rota.surfaces.runwisp.asking import last_line_of, run_of, task_of

TEXT = b"text/plain; charset=utf-8"
# The last line is written a moment before the run is settled.
SETTLE_S = 10.0


async def get_log(ask: Ask) -> Reply:
    query = ask.query
    page = await attemptlogs.get_attempt_page(
        ask.rota, ask.actor, run_of(ask), task=task_of(ask), from_line=query.start, limit=query.limit
    )
    return ok(translate.page_wire(page))


async def get_raw_log(ask: Ask) -> PieceReply:
    return PieceReply(await attemptlogs.open_attempt_text(ask.rota, ask.actor, run_of(ask), task=task_of(ask)), TEXT)


async def stream_log(ask: Ask) -> EventReply:
    last, query = last_line_of(ask), ask.query
    progress = await attemptlogs.follow_attempt(
        ask.rota,
        ask.actor,
        run_of(ask),
        task=task_of(ask),
        from_line=query.start if last is None else last + 1,
        most=query.replay_limit,
    )
    return EventReply(_events(ask, progress, -1 if last is None else last))


async def _events(ask: Ask, progress: AsyncIterator[Progress], last: int) -> AsyncGenerator[bytes]:
    first_available = 0
    async for each in progress:
        if each.first_available > first_available:
            first_available = each.first_available
            yield sse.event("rotated", {"first_available": first_available})
        if each.dropped:
            yield sse.event("dropped", {"after": each.after, "count": each.dropped})
        if each.lines:
            last = each.lines[-1].n
            yield b"".join(sse.event("line", translate.line_wire(line), line.n) for line in each.lines)
    shown = await occurrences.wait_occurrence(ask.rota, ask.actor, run_of(ask), SETTLE_S)
    state, reason = shown.occurrence.state, shown.occurrence.reason
    yield sse.event("done", wire.LogDone(last, words.phase_of(state), words.end_reason_of(state, reason)))

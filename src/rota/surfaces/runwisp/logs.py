"""Handlers of logs: pages, the whole text, and lines as they are written."""

from collections.abc import AsyncGenerator, AsyncIterator

from msgspec import UNSET

from rota.http import sse
from rota.http.paging import decode_cursor, encode_cursor
from rota.http.reply import EventReply, PieceReply, Reply, ok
from rota.http.routes import Ask
from rota.ops import attemptlogs, logsearch, occurrences
from rota.ops.attemptlogs import Progress
from rota.ops.logsearch import SearchPlace
from rota.surfaces.runwisp import translate, wire, words
from rota.surfaces.runwisp.asking import last_line_of, line_of, run_id_of, run_of, task_of

SEARCH = "search"
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


async def get_line_history(ask: Ask) -> Reply:
    frames = await logsearch.get_line_history(ask.rota, ask.actor, run_of(ask), line_of(ask), task=task_of(ask))
    return ok(wire.LineHistory(frames))


async def search_log(ask: Ask) -> Reply:
    query = ask.query
    place = decode_cursor(SEARCH, query.cursor)
    page = await logsearch.search_logs(
        ask.rota,
        ask.actor,
        task_of(ask),
        pattern=query.q,
        regex=query.regex,
        case=query.case,
        run_id=run_id_of(query.run_id, "query.run_id") if query.run_id else None,
        limit=query.limit,
        after=SearchPlace.parse(place) if place else None,
    )
    cursor = encode_cursor(SEARCH, str(page.next_place)) if page.next_place else UNSET
    return ok(wire.SearchPage([translate.hit_wire(hit) for hit in page.hits], page.exhausted, page.scanned_runs, cursor))


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
        if each.regions:
            yield b"".join(sse.event("region", region) for region in each.regions)
    shown = await occurrences.wait_occurrence(ask.rota, ask.actor, run_of(ask), SETTLE_S)
    state, reason = shown.occurrence.state, shown.occurrence.reason
    yield sse.event("done", wire.LogDone(last, words.phase_of(state), words.end_reason_of(state, reason)))

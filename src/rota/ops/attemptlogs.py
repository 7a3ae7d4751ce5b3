"""The log of one attempt: its part of the log of its run, with lines counted from 0."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import nullcontext
from functools import partial
from typing import NamedTuple

from msgspec import Struct, field, structs

from rota.core.actor import Actor
from rota.core.occurrence import Occurrence
from rota.core.run import Run
from rota.logs import LONGEST_PAGE_BYTES, LiveRegion, LogLine, LogPage, LogReader, Stream
from rota.logs.follow import PAGE_BYTES, PAGE_LINES
from rota.ops import occurrences
from rota.ops.context import Rota
from rota.ops.openlogs import catch_up, open_log
from rota.ops.runlogs import wait_for_growth
from rota.store import occurrences as stored
from rota.store.database import Connection


class Part(NamedTuple):
    """Lines `first` up to but not including `end` of a run's log; `end` None: to its end, wherever that is."""

    first: int
    end: int | None
    is_over: bool


class Progress(Struct, frozen=True):
    """Lines as they came, or what became of some: `dropped` were never sent, from line `after` on.

    regions  what streams draw that is no line yet, where it changed; one without rows is over, and its last frame came as lines
    """

    lines: list[LogLine]
    first_available: int
    after: int = -1
    dropped: int = 0
    regions: list[LiveRegion] = field(default_factory=list)


class _Regions:
    """What a follower was shown last."""

    def __init__(self) -> None:
        self._shown: dict[Stream, LiveRegion] = {}

    def changes(self, drawn: list[LiveRegion]) -> list[LiveRegion]:
        now = {region.stream: region for region in drawn}
        over = [LiveRegion(stream, last.epoch, []) for stream, last in self._shown.items() if stream not in now]
        changed = [region for stream, region in now.items() if self._shown.get(stream) != region]
        self._shown = now
        return over + changed


async def get_attempt_page(
    rota: Rota, actor: Actor, occurrence_id: str, *, task: str | None = None, from_line: int, limit: int
) -> LogPage:
    """Up to `limit` lines from `from_line` on (negative: from the end). Raises NotFound."""
    reader, part, _ = await _open(rota, actor, occurrence_id, task)
    return await asyncio.to_thread(_page, reader, part, from_line, limit)


async def open_attempt_text(rota: Rota, actor: Actor, occurrence_id: str, *, task: str | None = None) -> AsyncGenerator[bytes]:
    """All text there is, with `[ERR] ` and `[SYSTEM] ` before the lines of those streams. Raises NotFound, at once."""
    reader, part, _ = await _open(rota, actor, occurrence_id, task)
    return _pieces(reader.raw(from_line=part.first, end_line=part.end))


async def follow_attempt(
    rota: Rota, actor: Actor, occurrence_id: str, *, task: str | None = None, from_line: int, most: int
) -> AsyncIterator[Progress]:
    """Lines from `from_line` on as they are written, until the attempt is over. Of those there are already, the newest `most`.

    Raises NotFound, at once.
    """
    reader, part, shown = await _open(rota, actor, occurrence_id, task)
    return _follow(rota, reader, part, shown, from_line, most)


async def _open(rota: Rota, actor: Actor, occurrence_id: str, task: str | None) -> tuple[LogReader, Part, occurrences.Shown]:
    def read(c: Connection) -> tuple[occurrences.Shown, Part]:
        shown = occurrences.find(c, actor, occurrence_id, task)
        return shown, _part(c, shown.occurrence)

    shown, part = await rota.database.read(read)
    return await open_log(rota, shown.occurrence.run, shown.task_name), part, shown


def _part(c: Connection, occurrence: Occurrence) -> Part:
    first, end = stored.find_lines(c, occurrence)
    return Part(first, end, occurrence.is_over)


def _page(reader: LogReader, part: Part, from_line: int, limit: int, most_bytes: int = LONGEST_PAGE_BYTES) -> LogPage:
    """`from_line` as the attempt counts."""
    whole = reader.page(0, 0)
    end = max(part.first, whole.total_lines) if part.end is None else part.end
    wanted = part.first + from_line if from_line >= 0 else max(part.first, end + from_line)
    page = reader.page(wanted, max(0, min(limit, end - wanted)), most_bytes)
    return LogPage(
        lines=[structs.replace(line, n=line.n - part.first) for line in page.lines if line.n < end],
        first_available=min(max(0, page.first_available - part.first), end - part.first),
        total_lines=end - part.first,
        finalized=part.is_over,
        truncated=wanted < page.first_available,
    )


async def _pieces(pieces: Iterator[bytes]) -> AsyncGenerator[bytes]:
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


async def _follow(
    rota: Rota, reader: LogReader, part: Part, shown: occurrences.Shown, from_line: int, most: int
) -> AsyncIterator[Progress]:
    position: int | None = None
    occurrence, regions = shown.occurrence, _Regions()
    run_id = occurrence.run.id
    with rota.growth.following(run_id) if rota.growth else nullcontext() as growth:
        while True:
            # Asked before the page is read: what was written before the end is then in that page or an earlier one.
            part, run = await rota.database.read(partial(_look_again, occurrence_id=occurrence.id, before=part))
            if part.is_over and run is not None:
                await catch_up(rota, run, shown.task_name)
            if position is None:
                told, position = _begin(_page(reader, part, 0, 0), from_line, most)
                if told is not None:
                    yield told
            page = _page(reader, part, position, PAGE_LINES, PAGE_BYTES)
            if page.lines:
                missing = page.lines[0].n - position
                yield Progress(page.lines, page.first_available, position - 1, missing)
                position = page.lines[-1].n + 1
            drawn = rota.growth.regions(run_id) if rota.growth and not part.is_over else []
            if changed := regions.changes(drawn):
                yield Progress([], page.first_available, regions=changed)
            elif not page.lines:
                if page.finalized:
                    return
                await wait_for_growth(growth)


def _begin(page: LogPage, from_line: int, most: int) -> tuple[Progress | None, int]:
    """Where to begin, and what is passed over."""
    wanted = from_line if from_line >= 0 else max(0, page.total_lines + from_line)
    start = max(wanted, page.total_lines - most)
    return (Progress([], page.first_available, wanted - 1, start - wanted) if start > wanted else None), start


def _look_again(c: Connection, occurrence_id: str, before: Part) -> tuple[Part, Run | None]:
    """With its run. One that was deleted meanwhile has nothing more to tell."""
    found = stored.find_occurrence(c, occurrence_id)
    return (_part(c, found), found.run) if found else (before._replace(is_over=True), None)

"""Search over the logs of a task, attempt by attempt, and what a redrawn line was before."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import Struct, structs

from rota.core.actor import Actor
from rota.core.errors import Invalid, NotFound
from rota.core.occurrence import Occurrence
from rota.core.run import Run
from rota.core.task import Task
from rota.logs import LogLine, LogReader, Pattern
from rota.ops import access, occurrences, openlogs
from rota.ops.context import Rota
from rota.store import occurrences as stored
from rota.store.database import Connection
from rota.store.occurrences import Order, Wanted

MOST_RUNS = 50
# Then the answer tells where to go on.
BUDGET_S = 2.0


class Hit(Struct, frozen=True):
    """A line that matches, counted in its attempt. `run_id` names the attempt."""

    run_id: str
    line: LogLine


class SearchPlace(Struct, frozen=True):
    """Where a search goes on: line `line` of an attempt, or an older attempt if that one is gone."""

    run_id: str
    line: int

    def __str__(self) -> str:
        return f"{self.run_id}-{self.line}"

    @classmethod
    def parse(cls, text: str) -> "SearchPlace":
        """Raises Invalid at `query.cursor`."""
        run_id, _, line = text.rpartition("-")
        if not run_id or not line.isdecimal() or len(line) > 18:
            raise Invalid.at("query.cursor", "is not a cursor of this search; take next_cursor as it was given", text[:100])
        return cls(run_id, int(line))


class SearchPage(Struct, frozen=True):
    """`scanned_runs`: how many this call has looked at. `exhausted`: there is no older one."""

    hits: list[Hit]
    next_place: SearchPlace | None
    exhausted: bool
    scanned_runs: int


class _Place(NamedTuple):
    """Where the log of one attempt is: lines `first` up to but not including `end` of its run's."""

    id: str
    run: Run
    task_name: str
    first: int
    end: int | None


class _Part(NamedTuple):
    """The same, to be read."""

    id: str
    reader: LogReader
    first: int
    end: int | None


async def search_logs(
    rota: Rota,
    actor: Actor,
    task: str,
    *,
    pattern: str,
    regex: bool = False,
    case: bool = False,
    run_id: str | None = None,
    limit: int = 200,
    after: SearchPlace | None = None,
) -> SearchPage:
    """Up to `limit` lines of a task's attempts, the newest first, or of one attempt; lines of one in their order.

    A call looks at 50 attempts, and for about two seconds; `next_place` is where the next one goes on.
    Raises NotFound, and Invalid at `q` for an empty, bad or hopeless pattern.
    """
    wanted = await asyncio.to_thread(Pattern, pattern, regex=regex, case=case)
    places = await rota.database.read(lambda c: _list_places(c, actor, task, run_id, after))
    readers = await openlogs.open_logs(rota, [(place.run, place.task_name) for place in places])
    parts = [_Part(place.id, reader, place.first, place.end) for place, reader in zip(places, readers, strict=True)]
    until = rota.clock.monotonic() + BUDGET_S
    return await asyncio.to_thread(_search, parts, wanted, limit, after, lambda: rota.clock.monotonic() >= until)


async def get_line_history(
    rota: Rota, actor: Actor, occurrence_id: str, line: int, *, task: str | None = None
) -> list[list[str]]:
    """The frames that line `line` of an attempt went through, each a list of rows; none if it was never drawn over.

    Raises NotFound, also for a line that is not there (any more).
    """

    def read(c: Connection) -> _Place:
        shown = occurrences.find(c, actor, occurrence_id, task)
        return _place(c, shown.task_name, shown.occurrence)

    place = await rota.database.read(read)
    reader = await openlogs.open_log(rota, place.run, place.task_name)
    return await asyncio.to_thread(_frames, _Part(place.id, reader, place.first, place.end), line)


def _frames(part: _Part, line: int) -> list[list[str]]:
    at = part.first + line
    found = part.reader.page(at, 1).lines if line >= 0 and (part.end is None or at < part.end) else []
    if not found or found[0].n != at:
        raise NotFound(f"there is no line {line}")
    return part.reader.frames(at)


def _list_places(c: Connection, actor: Actor, task: str, run_id: str | None, after: SearchPlace | None) -> list[_Place]:
    """One more than a call looks at, if there are as many."""
    found = access.get_task(c, actor, task)
    if run_id is not None:
        return [_place(c, found.name, occurrences.find(c, actor, run_id, found.name).occurrence)]
    return [_place(c, found.name, each) for each in _list_occurrences(c, found, after)]


def _list_occurrences(c: Connection, task: Task, after: SearchPlace | None) -> Sequence[Occurrence]:
    within = None if after is None else ("", after.run_id)
    wanted = Wanted(owner_id=task.owner_id, task_ids=(task.id,), within=within)
    return stored.list_occurrences(c, wanted, Order(), MOST_RUNS + 1)


def _place(c: Connection, task_name: str, occurrence: Occurrence) -> _Place:
    return _Place(occurrence.id, occurrence.run, task_name, *stored.find_lines(c, occurrence))


def _search(
    parts: Sequence[_Part], pattern: Pattern, limit: int, after: SearchPlace | None, is_late: Callable[[], bool]
) -> SearchPage:
    hits: list[Hit] = []
    for scanned, part in enumerate(parts[:MOST_RUNS], 1):
        begin = after.line if after and after.run_id == part.id else 0
        found = part.reader.search(
            pattern, from_line=part.first + begin, end_line=part.end, most=limit - len(hits), is_late=is_late
        )
        hits += [Hit(part.id, structs.replace(line, n=line.n - part.first)) for line in found.lines]
        if found.next_line is not None:
            return SearchPage(hits, SearchPlace(part.id, found.next_line - part.first), exhausted=False, scanned_runs=scanned)
    rest = parts[MOST_RUNS:]
    return SearchPage(hits, SearchPlace(rest[0].id, 0) if rest else None, not rest, min(len(parts), MOST_RUNS))

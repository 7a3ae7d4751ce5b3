"""The logs of projects' runs: entries that workers bring, the whole text with the runs before, filters, and following."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rota.bus import MESSAGE, Watcher
from rota.core.errors import Conflict, NotFound
from rota.core.projectentry import (
    AWAITING_INPUT,
    TURN_COMPLETE,
    Entry,
    console,
    find_idle,
    is_after,
    is_kept,
    method_of,
    notification,
    read_entry,
    type_of,
)
from rota.core.projectrun import ProjectRun, inactivity_s
from rota.core.push import Happening, Kind
from rota.core.run import Run
from rota.core.task import Task
from rota.core.work import Project
from rota.logs import LogLine, LogReader
from rota.logs.follow import PAGE_BYTES, PAGE_LINES
from rota.ops import openlogs, outside
from rota.ops.context import Rota
from rota.ops.projectruns import Found, Place, find, tell_followers
from rota.ops.runlogs import wait_for_growth
from rota.store import nodes, projectruns, projecttasks, pushing, runmessages, tasks
from rota.store.database import Connection

MOST_ANCESTORS = 10
# An entry may be large, and thousands may be asked for at once; whoever wants more asks again from there.
MOST_SESSION_BYTES = 16 * 1024 * 1024
USER_MESSAGE = "user_message"
PUSHED: dict[str | None, Kind] = {TURN_COMPLETE: "turn_completed", AWAITING_INPUT: "awaiting_input"}
_encode = msgspec.json.Encoder().encode


class Told(NamedTuple):
    """An entry of a log. `next_line`: where the log goes on behind it."""

    entry: Entry
    next_line: int


class Chunk(NamedTuple):
    """Entries in a row. `is_end`: there were no more."""

    entries: list[Told]
    next_line: int
    is_end: bool


class Wanted(Struct, frozen=True, kw_only=True):
    """Which entries of a session (§8.5)."""

    after: datetime | None = None
    types: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    limit: int = 1000
    offset: int = 0

    def takes(self, entry: Entry) -> bool:
        kind = type_of(entry)
        return (
            (self.after is None or is_after(entry, self.after))
            and (not self.types or kind in self.types)
            and kind not in self.without
        )


class Session(Struct):
    """A part of the entries that match, how many these are, and how many there are at all. `size`: bytes of that part."""

    entries: list[Entry]
    matching: int = 0
    total: int = 0
    size: int = 0

    def add(self, entry: Entry, wanted: Wanted) -> None:
        self.total += 1
        if not wanted.takes(entry):
            return
        self.matching += 1
        is_next = self.matching == wanted.offset + len(self.entries) + 1 and len(self.entries) < wanted.limit
        if is_next and self.size < MOST_SESSION_BYTES:
            self.entries.append(entry)
            self.size += len(_encode(entry))


class Sign(NamedTuple):
    """What a follower is told: a changed run, entries, that nothing has come of it for long, or that it is over."""

    kind: str
    run: ProjectRun
    next_line: int
    entries: Sequence[Told] = ()


async def append_entries(rota: Rota, place: Place, entries: Sequence[Entry]) -> ProjectRun:
    """Add a worker's entries to the log of a run; a sign of life too. To a run that is over they can still be added.

    They are written when this returns. Raises NotFound, and Unavailable if the disk does not take them.
    """
    found = await rota.database.read(lambda c: find(c, place))
    await _append(rota, found, [entry for entry in entries if is_kept(entry)])
    now = rota.clock.now()

    def write(c: Connection) -> tuple[ProjectRun, int]:
        again = find(c, place, for_update=True)
        if again.run.is_over:
            return again.run, 0
        told = pushing.tell_devices(c, rota.rules.push, _happenings(again.run, entries), rota.ids, now)
        return _heard(c, rota, place, again, find_idle(entries), now), told

    run, told = await rota.database.write(write)
    if told:
        rota.bus.wake("notifier")
    tell_followers(rota, place.run_id)
    return run


async def send_command(rota: Rota, place: Place, method: str, params: dict[str, Any]) -> None:
    """Tell whoever works on a run: a worker from outside by an entry of its stream, a command here by its messages.

    Raises NotFound, and Conflict where nobody would hear of it.
    """
    found = await rota.database.read(lambda c: find(c, place))
    run, now = found.run, rota.clock.now()
    if run.run.state != "running":
        raise Conflict("the run is over" if run.is_over else "nobody has begun with this run yet")
    entry = notification(f"_posthog/{method}", {"sessionId": run.id, **params}, now)
    goes_away = run.is_here and not rota.deliver(run.id, _line(entry))
    if goes_away and not await rota.database.read(lambda c: _takes_commands_elsewhere(c, rota, found)):
        raise Conflict("what works on this run takes no commands")
    if not goes_away:
        await _append(rota, found, [entry])

    def write(c: Connection) -> None:
        again = find(c, place, for_update=True)
        if goes_away:
            runmessages.insert_message(c, run.id, _line(entry).decode())
        if not again.run.is_over and method == USER_MESSAGE:
            _heard(c, rota, place, again, False, now)

    await rota.database.write(write)
    if goes_away:
        rota.bus.tell_others(MESSAGE, {"run_id": run.id})
    tell_followers(rota, place.run_id)


def _takes_commands_elsewhere(c: Connection, rota: Rota, found: Found) -> bool:
    """Whether a command works on it on another machine, which writes what it is told into its log itself."""
    work, here = found.task.spec.executor, rota.here
    if here is None or not isinstance(work, Project) or rota.settings.project(work.project_id).executor is not None:
        return False
    node = nodes.find_nodes_of(c, [found.run.id]).get(found.run.id)
    return here.capacity == 0 or node not in (None, here.name)  # without a place of its own all is done by workers


async def open_log(rota: Rota, place: Place) -> AsyncGenerator[bytes]:
    """The text of a run's log, behind that of the runs which it goes on with: an object a line. Raises NotFound, at once."""
    found, ancestors = await rota.database.read(lambda c: _with_ancestors(c, find(c, place)))
    return _text(await _open(rota, found.task, ancestors))


async def open_linked_log(rota: Rota, task_id: str, run_id: str) -> AsyncGenerator[bytes]:
    """The same for whoever has a link to it. Raises NotFound, at once."""

    def read(c: Connection) -> tuple[Task, list[ProjectRun]]:
        run, about = projectruns.find_project_run(c, task_id, run_id), projecttasks.find_project_task(c, task_id)
        if run is None or about is None:
            raise NotFound(f"there is no run {run_id}")
        return tasks.get_task(c, task_id), _ancestry(c, run)

    return _text(await _open(rota, *(await rota.database.read(read))))


async def read_session(rota: Rota, place: Place, wanted: Wanted) -> Session:
    """Entries of one run that match, as many as are wanted or 16 MiB take. Raises NotFound."""
    found = await rota.database.read(lambda c: find(c, place))
    reader = await openlogs.open_log(rota, found.run.run, found.task.name)
    return await asyncio.to_thread(_session, reader, found.run.id, wanted)


async def follow_run(rota: Rota, place: Place, from_line: int | None, appear_s: float) -> AsyncIterator[Sign]:
    """A run and its entries from a line on as they come, to its end; None: only what is new.

    appear_s  how long one that nobody begins with is waited for

    Raises NotFound, at once.
    """
    found = await rota.database.read(lambda c: find(c, place))
    reader = await openlogs.open_log(rota, found.run.run, found.task.name)
    start = reader.page(0, 0).total_lines if from_line is None else from_line
    return _follow(rota, place, found.task.name, reader, start, appear_s)


async def _follow(
    rota: Rota, place: Place, task_name: str, reader: LogReader, position: int, appear_s: float
) -> AsyncIterator[Sign]:
    shown: tuple[Any, ...] | None = None
    give_up_at = asyncio.get_running_loop().time() + appear_s
    with rota.growth.following(place.run_id) if rota.growth else nullcontext() as growth, rota.bus.watch() as watcher:
        while (run := await rota.database.read(partial(_find_again, place=place))) is not None:
            if _told_of(run) != shown:
                shown = _told_of(run)
                yield Sign("state", run, position)
            if run.is_over:
                await openlogs.catch_up(rota, run.run, task_name)
            chunk = _read(reader, run.id, position)
            position = chunk.next_line
            if chunk.entries:
                yield Sign("entries", run, position, chunk.entries)
            elif run.is_over and chunk.is_end:
                yield Sign("end", run, position)
                return
            elif run.run.state == "pending" and not position and asyncio.get_running_loop().time() >= give_up_at:
                yield Sign("missing", run, position)
                return
            else:
                await _first_of(wait_for_growth(growth), _heard_of(watcher, place.run_id))


def _told_of(run: ProjectRun) -> tuple[Any, ...]:
    """What makes it another one for a follower. A mere sign of life does not: outputs may be large, and entries many."""
    return run.status, run.stage, run.branch, run.error, run.output, run.state, run.run.ended_at


async def _heard_of(watcher: Watcher, run_id: str) -> None:
    """Until something happens to a run."""
    async for notice in watcher:
        run = notice.data.get("run")
        if isinstance(run, Run) and run.id == run_id:
            return


async def _first_of(*waits: Coroutine[Any, Any, None]) -> None:
    waiting = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _find_again(c: Connection, place: Place) -> ProjectRun | None:
    """None once it is not to be seen any more."""
    try:
        return find(c, place).run
    except NotFound:
        return None


def _heard(c: Connection, rota: Rota, place: Place, found: Found, is_idle: bool | None, now: datetime) -> ProjectRun:
    run, about, task = found
    working_s = rota.settings.project(place.project.id).lease
    silence_s = None if is_idle is None else inactivity_s(run.told_state, about.origin_product) if is_idle else working_s
    outside.renew(c, run.run, task, now, silence_s=silence_s, is_idle=is_idle)
    after = replace(run, told_at=now)
    projectruns.put_project_run(c, after)
    return after


def _happenings(run: ProjectRun, entries: Sequence[Entry]) -> list[Happening]:
    """What the creator of the task is to hear: that a turn is over, or that somebody has to answer."""
    kinds = dict.fromkeys(PUSHED[method] for entry in entries if (method := method_of(entry)) in PUSHED)
    return [Happening(run.id, run.run.task_id, kind) for kind in kinds]


async def _append(rota: Rota, found: Found, entries: Sequence[Entry]) -> None:
    if entries:
        await openlogs.append(rota, found.run.run, found.task, "entry", b"".join(map(_line, entries)))


def _line(entry: Entry) -> bytes:
    return _encode(entry) + b"\n"


def _with_ancestors(c: Connection, found: Found) -> tuple[Found, list[ProjectRun]]:
    return found, _ancestry(c, found.run)


def _ancestry(c: Connection, run: ProjectRun) -> list[ProjectRun]:
    """A run and those that it goes on with, the first of them first; never in a circle."""
    chain = [run]
    while run.resumes_id is not None and len(chain) <= MOST_ANCESTORS:
        earlier = projectruns.find_project_run(c, run.run.task_id, run.resumes_id)
        if earlier is None or earlier.id in {each.id for each in chain}:
            break
        chain.append(run := earlier)
    return chain[::-1]


async def _open(rota: Rota, task: Task, chain: Sequence[ProjectRun]) -> list[tuple[LogReader, str]]:
    readers = await openlogs.open_logs(rota, [(each.run, task.name) for each in chain])
    return [(reader, each.id) for reader, each in zip(readers, chain, strict=True)]


async def _text(chain: Sequence[tuple[LogReader, str]]) -> AsyncGenerator[bytes]:
    for reader, run_id in chain:
        chunk = Chunk([], 0, is_end=False)
        while not chunk.is_end:
            chunk = await asyncio.to_thread(_read, reader, run_id, chunk.next_line)
            if chunk.entries:
                yield b"".join(_line(told.entry) for told in chunk.entries)


def _session(reader: LogReader, run_id: str, wanted: Wanted) -> Session:
    session, chunk = Session([]), Chunk([], 0, is_end=False)
    while not chunk.is_end:
        chunk = _read(reader, run_id, chunk.next_line)
        for told in chunk.entries:
            session.add(told.entry, wanted)
    return session


def _read(reader: LogReader, run_id: str, position: int) -> Chunk:
    """What there is from a line on, as far as one page goes. A long entry takes several lines, and is told whole."""
    lines, size = PAGE_LINES, PAGE_BYTES
    while True:
        page = reader.page(position, lines, size)
        is_whole = not page.lines or page.lines[-1].n + 1 >= page.total_lines
        groups = list(_groups(page.lines))
        told = [_told(run_id, group) for group in groups]
        if groups and told[-1] is None and groups[-1][0].stream == "entry":
            del groups[-1], told[-1]  # there may be more of it
        if groups or is_whole:
            break
        lines, size = lines * 4, size * 4
    next_line = groups[-1][-1].n + 1 if groups else position
    entries = [Told(entry, group[-1].n + 1) for entry, group in zip(told, groups, strict=True) if entry is not None]
    return Chunk(entries, next_line, is_end=is_whole)


def _groups(lines: Sequence[LogLine]) -> Iterator[list[LogLine]]:
    """Lines that go on each other, where they are of entries; every other line alone."""
    group: list[LogLine] = []
    for line in lines:
        if group and not (line.continued and line.stream == "entry"):
            yield group
            group = []
        group.append(line)
    if group:
        yield group


def _told(run_id: str, group: Sequence[LogLine]) -> Entry | None:
    first = group[0]
    if first.stream == "entry":
        return None if first.continued else read_entry("".join(line.text for line in group))
    return console(run_id, first.stream, first.text, first.at)

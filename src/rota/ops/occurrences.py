"""Attempts as runs of their own: list, get, wait, stop, select.

Whoever asks here knows tasks by name, and names are unique per owner: an actor finds its own tasks, the operator those of the
installation.
"""

import asyncio
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from rota.bus import Watcher
from rota.core.actor import Actor
from rota.core.errors import Conflict, NotFound
from rota.core.occurrence import Occurrence, latest
from rota.core.occurrence import occurrences as occurrences_of
from rota.core.run import Run, Trigger
from rota.core.states import State
from rota.ops import access
from rota.ops.context import Rota
from rota.ops.runs import LOOK_AGAIN_S, cancel_run
from rota.store import attempts, occurrences, tasks
from rota.store.database import Connection
from rota.store.occurrences import Key, Order, Wanted

# No selection reaches further.
MOST_SELECTED = 100_000
Range = tuple[str, str] | None


class Filter(Struct, frozen=True, kw_only=True):
    """What a list is narrowed by; as `Wanted`, but tasks by name.

    search    any part of a task's name, in either case; `id_range` adds those whose id lies in it
    """

    task: str | None = None
    search: str | None = None
    id_range: Range = None
    states: tuple[tuple[State, tuple[str, ...] | None], ...] | None = None
    triggers: tuple[Trigger, ...] | None = None
    created: tuple[datetime | None, datetime | None] = (None, None)
    exit_codes: tuple[int | None, int | None] = (None, None)
    retries: bool = False


class Selection(Struct, frozen=True, kw_only=True):
    """Either `ids`, or all that `filter` lets through but `except_ids`."""

    ids: tuple[str, ...] = ()
    filter: Filter | None = None
    except_ids: tuple[str, ...] = ()


class Shown(NamedTuple):
    """An occurrence with the name of its task."""

    occurrence: Occurrence
    task_name: str


class Page(NamedTuple):
    """A part of a list, and how long that is."""

    items: list[Shown]
    total: int


async def list_occurrences(rota: Rota, actor: Actor, asked: Filter, order: Order, *, limit: int, offset: int) -> Page:
    def read(c: Connection) -> Page:
        names = tasks.list_names_by_id(c, access.owner_of(actor))
        wanted = _wanted(actor, asked, names)
        found = occurrences.list_occurrences(c, wanted, order, limit, offset)
        return Page([Shown(each, names[each.run.task_id]) for each in found], occurrences.count_occurrences(c, wanted))

    return await rota.database.read(read)


async def get_occurrence(rota: Rota, actor: Actor, occurrence_id: str, *, task: str | None = None) -> Shown:
    """With `task`, only if it is that task's. Raises NotFound."""
    return await rota.database.read(lambda c: find(c, actor, occurrence_id, task))


async def list_of_run(rota: Rota, run: Run) -> list[Occurrence]:
    """All of a run up to the one that `run` shows, which may have gone on since."""
    if run.attempt_id is None:
        return [latest(run, [])]
    ended = await rota.database.read(lambda c: attempts.list_attempts(c, run.id))
    return occurrences_of(run, [attempt for attempt in ended if attempt.id < (run.attempt_id or "")])


async def list_task_names(rota: Rota, actor: Actor) -> dict[str, str]:
    """Of all tasks that the actor has or had, by id."""
    return await rota.database.read(lambda c: tasks.list_names_by_id(c, access.owner_of(actor)))


async def wait_occurrence(rota: Rota, actor: Actor, occurrence_id: str, timeout_s: float) -> Shown:
    """Once it is over, or as it stands after so many seconds; a retry that follows is not waited for. Raises NotFound."""
    with rota.bus.watch() as watcher:
        shown = await get_occurrence(rota, actor, occurrence_id)
        try:
            async with asyncio.timeout(timeout_s):
                while not shown.occurrence.is_over:
                    await _next_sign(watcher, shown.occurrence.run.id)
                    shown = await get_occurrence(rota, actor, occurrence_id)
        except TimeoutError:
            return await get_occurrence(rota, actor, occurrence_id)
    return shown


async def stop_occurrence(rota: Rota, actor: Actor, occurrence_id: str, *, task: str | None = None) -> Shown:
    """Ask it to end; what waits ends at once, and no retry follows. Raises NotFound, and Conflict if it is over."""
    shown = await get_occurrence(rota, actor, occurrence_id, task=task)
    if shown.occurrence.is_over:
        raise Conflict("the run is not running")
    await cancel_run(rota, actor, shown.occurrence.run.id, cause="stop")
    return shown


def find(c: Connection, actor: Actor, occurrence_id: str, task: str | None = None) -> Shown:
    """Raises NotFound."""
    found = occurrences.find_occurrence(c, occurrence_id)
    owner = tasks.find_task(c, found.run.task_id) if found else None
    if found is None or owner is None or owner.owner_id != access.owner_of(actor) or task not in (None, owner.name):
        raise NotFound("there is no such run")
    return Shown(found, owner.name)


def select(c: Connection, actor: Actor, selection: Selection, *, deleted_since: datetime | None = None) -> list[Key]:
    """What is selected, newest first; with `deleted_since`, of what was deleted then or later. Unknown ids are left out."""
    names = tasks.list_names_by_id(c, access.owner_of(actor))
    if selection.filter is None:
        found = occurrences.find_keys(c, selection.ids, deleted=deleted_since is not None)
        return [key for key in found if key.task_id in names]
    wanted = _wanted(actor, selection.filter, names, deleted_since)
    spared = set(selection.except_ids)
    return [key for key in occurrences.list_keys(c, wanted, MOST_SELECTED) if key.id not in spared]


def _wanted(actor: Actor, asked: Filter, names: dict[str, str], deleted_since: datetime | None = None) -> Wanted:
    task_ids, id_range, within = _reach(asked, names)
    return Wanted(
        owner_id=access.owner_of(actor),
        task_ids=task_ids,
        id_range=id_range,
        within=within,
        states=asked.states,
        triggers=asked.triggers,
        created=asked.created,
        exit_codes=asked.exit_codes,
        retries=asked.retries,
        deleted=deleted_since,
    )


def _reach(asked: Filter, names: dict[str, str]) -> tuple[tuple[str, ...] | None, Range, Range]:
    """Of which tasks, ids beside those tasks', and ids among them."""
    of_task = None if asked.task is None else tuple(task_id for task_id, name in names.items() if name == asked.task)
    if asked.search is None:
        return of_task, None, None
    part = asked.search.casefold()
    named = tuple(task_id for task_id, name in names.items() if part in name.casefold())
    if of_task is None:
        return named, asked.id_range, None
    if set(of_task) <= set(named):
        return of_task, None, None
    return (of_task, None, asked.id_range) if asked.id_range else ((), None, None)


async def _next_sign(watcher: Watcher, run_id: str) -> None:
    """Until something is told of the run, or long enough to look for oneself."""
    try:
        async with asyncio.timeout(LOOK_AGAIN_S):
            async for notice in watcher:
                run = notice.data.get("run")
                if isinstance(run, Run) and run.id == run_id:
                    return
    except TimeoutError:
        return

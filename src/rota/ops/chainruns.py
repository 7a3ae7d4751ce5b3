"""Runs of chains as those see them who started them: with what they were called then, what they said, and who is told."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from msgspec import Struct

from rota.core.actor import Actor
from rota.core.agent import journal
from rota.core.errors import NotFound
from rota.core.run import Run
from rota.core.task import Task
from rota.logs import LogReader
from rota.ops import deletion, openlogs
from rota.ops.chains import is_chain
from rota.ops.context import Rota
from rota.store import outbox, revisions, runs, tasks
from rota.store.database import Connection

LINES_AT_ONCE = 10_000
NOT_FOUND = "Task not found"


class ChainRun(Struct, frozen=True):
    """A run, its task as it was when the run was started, where its changes are told, and what it said line by line."""

    run: Run
    task: Task
    callback: str | None
    lines: list[str]


async def list_runs(rota: Rota, actor: Actor) -> list[ChainRun]:
    """All of the actor's own, newest first: as many queries for a thousand as for one."""
    found = await rota.database.read(lambda c: _look_up(c, runs.list_shared_runs(c, actor.id)))
    readers = await openlogs.open_logs(rota, [(run, task.name) for run, task, _ in found])
    return await asyncio.to_thread(lambda: [_told(reader, each) for reader, each in zip(readers, found, strict=True)])


async def get_run(rota: Rota, actor: Actor, run_id: str) -> ChainRun:
    """One of the actor's own: who has every right sees no more here. Raises NotFound."""
    found = await rota.database.read(lambda c: _get(c, actor, run_id))
    return await _tell(rota, found)


async def delete_run(rota: Rota, actor: Actor, run_id: str) -> ChainRun:
    """Remove a run for good, also one that is going on. Answers it as it was. Raises NotFound."""
    found = await get_run(rota, actor, run_id)
    await deletion.delete_run(rota, actor, run_id)
    return found


def reading(c: Connection, rota: Rota, run_id: str) -> Callable[[], Awaitable[ChainRun]] | None:
    """A run as it stands in this transaction; what it has said is read when this is called. None for one that was deleted."""
    run = runs.find_shown_run(c, run_id)
    found = _look_up(c, [run]) if run else []
    return (lambda: _tell(rota, found[0])) if found else None


Found = tuple[Run, Task, str | None]


def _get(c: Connection, actor: Actor, run_id: str) -> Found:
    run = runs.find_shown_run(c, run_id)
    found = _look_up(c, [run]) if run is not None and run.owner_id == actor.id else []
    if not found:
        raise NotFound(NOT_FOUND)
    return found[0]


def _look_up(c: Connection, wanted: Sequence[Run]) -> list[Found]:
    """Of those that are runs of chains."""
    known = tasks.get_tasks(c, {run.task_id for run in wanted})
    begun = [(run, known[run.task_id]) for run in wanted if is_chain(known[run.task_id])]
    urls = outbox.find_addresses(c, [run.id for run, _ in begun])
    before = revisions.as_started(c, begun)
    return [(run, task, urls.get(run.id)) for (run, _), task in zip(begun, before, strict=True)]


async def _tell(rota: Rota, found: Found) -> ChainRun:
    reader = await openlogs.open_log(rota, found[0], found[1].name)
    return await asyncio.to_thread(_told, reader, found)


def _told(reader: LogReader, found: Found) -> ChainRun:
    run, task, callback = found
    return ChainRun(run, task, callback, list(journal.decode(_entries(reader))))


def _entries(reader: LogReader) -> Iterator[str]:
    """What nodes have said. Notes of our own, and what a model says before it is done, are of other streams."""
    at, total = 0, 1
    while at < total:
        page = reader.page(at, LINES_AT_ONCE)
        yield from (line.text for line in page.lines if line.stream == "entry")
        at, total = (page.lines[-1].n + 1, page.total_lines) if page.lines else (total, total)

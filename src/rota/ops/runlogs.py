"""The log of a run: pages and following."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext, suppress
from functools import partial

from msgspec import Struct

from rota.core.actor import Actor
from rota.core.run import Run
from rota.core.states import ENDED
from rota.core.task import Task
from rota.logs import Growth, LogPage, LogReader, follow
from rota.ops import access
from rota.ops.context import Rota
from rota.ops.openlogs import catch_up, open_log
from rota.store import runs

# A log that another process writes is looked at this often.
LOOK_AGAIN_S = 0.1
# A run that ends without another line wakes nobody.
LONGEST_WAIT_S = 1.0


class Words(Struct, frozen=True):
    """What a run has said on standard output of a line that has not ended: in full each time it grew."""

    text: str


async def get_log_page(rota: Rota, actor: Actor, run_id: str, *, from_line: int, limit: int) -> LogPage:
    """Up to `limit` lines from `from_line` on (negative: from the end). Raises NotFound, and as `open_log` does."""
    run, task = await _find(rota, actor, run_id)
    reader = await open_log(rota, run, task.name)
    page = await asyncio.to_thread(reader.page, from_line, limit)
    return page if page.finalized or not _is_over(run) else _final(page)


async def follow_log(
    rota: Rota, actor: Actor, run_id: str, *, from_line: int, with_words: bool = False
) -> AsyncIterator[LogPage | Words]:
    """Pages with lines as they are written, without gap or duplicate, until the run has ended. Raises NotFound, and as
    `open_log` does.

    with_words  also what it says of a line before that ends
    """
    run, task = await _find(rota, actor, run_id)
    return _follow(rota, await open_log(rota, run, task.name), run_id, task.name, from_line, with_words)


async def _find(rota: Rota, actor: Actor, run_id: str) -> tuple[Run, Task]:
    return await rota.database.read(lambda c: access.get_run(c, actor, run_id))


async def _follow(
    rota: Rota, reader: LogReader, run_id: str, task_name: str, from_line: int, with_words: bool
) -> AsyncIterator[LogPage | Words]:
    said = ""
    with rota.growth.following(run_id) if rota.growth else nullcontext() as growth:
        over = partial(_has_ended, rota, run_id, task_name)
        async for page in follow(reader, from_line, partial(wait_for_growth, growth), over, each_look=with_words):
            if page.lines:
                yield page
            words = rota.growth.begun_line(run_id) if with_words and rota.growth else ""
            if words != said:
                said = words
                yield Words(words)


async def wait_for_growth(growth: Growth | None) -> None:
    """Until there is more to read, or long enough to look for oneself."""
    if growth is None:
        await asyncio.sleep(LOOK_AGAIN_S)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_WAIT_S):
            await growth.wait()


async def _has_ended(rota: Rota, run_id: str, task_name: str) -> bool:
    """And if so, its log is here to its end."""
    run = await rota.database.read(lambda c: runs.find_run(c, run_id))
    if run is not None and _is_over(run):
        await catch_up(rota, run, task_name)
    return run is None or _is_over(run)


def _is_over(run: Run) -> bool:
    return run.state in ENDED


def _final(page: LogPage) -> LogPage:
    return LogPage(page.lines, page.first_available, page.total_lines, True, page.truncated)

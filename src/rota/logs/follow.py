"""Follows a log that is being written, without ever holding its run up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from rota.logs.reader import LogPage, LogReader

PAGE_LINES = 1000
# Read in the event loop, and held for each follower who does not take it.
PAGE_BYTES = 256 * 1024


class Growth:
    """Wakes the followers of one log at most every `every_s` seconds, and always once more after the last growth.

    `notify` is a writer's `on_growth`, `wait` a follower's `wakeup`. Both belong to one event loop.
    """

    def __init__(self, every_s: float = 0.02) -> None:
        self._every_s = every_s
        self._grown = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._pending = False

    def notify(self) -> None:
        if self._timer:
            self._pending = True
            return
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._expire)
        self._grown.set()
        self._grown.clear()

    async def wait(self) -> None:
        await self._grown.wait()

    def _expire(self) -> None:
        self._timer = None
        if self._pending:
            self._pending = False
            self.notify()


async def _never() -> bool:
    return False


async def follow(
    reader: LogReader,
    from_line: int,
    wakeup: Callable[[], Awaitable[object]],
    is_over: Callable[[], Awaitable[bool]] = _never,
    *,
    page_lines: int = PAGE_LINES,
    each_look: bool = False,
) -> AsyncIterator[LogPage]:
    """Pages with lines, from `from_line` (negative: from the end) until the log is finalized, without gap or duplicate.

    `is_over` says that nothing more is written, though the log may never be finalized: its writer has died.

    each_look  gives pages without lines too, whenever it was woken for nothing that is a line yet

    A page whose first line is later than expected tells that a rotation took the lines between. Nothing is kept for a
    follower: one that falls behind reads on from the file. `wakeup` is called when there is nothing to read, and waits for the
    log to grow; the read and that call are in one step of the event loop, so growth on this loop is never missed.
    """
    position, is_told = from_line, False
    while True:
        # Asked before the page is read: what was written before the end is then in that page or an earlier one.
        over = await is_over()
        page = reader.page(position, page_lines, PAGE_BYTES)
        if position < 0:
            position = max(0, page.total_lines + position)
        if page.lines:
            position = page.lines[-1].n + 1
            yield page
        elif page.finalized or over:
            return
        elif each_look and not is_told:
            is_told = True
            yield page  # what grows meanwhile is read before anything is waited for
        else:
            is_told = False
            await wakeup()

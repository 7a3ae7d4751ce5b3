"""The server's own log: structured lines on stderr, for people on a terminal and as JSON elsewhere."""

import asyncio
import logging
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Literal, TextIO, cast

import structlog

KEPT = 100
# A reader that is further behind than this loses lines.
BACKLOG = 1000


class OwnLog:
    """What is written goes on to `target`; the last lines are kept for whoever wants to read along."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._lines: deque[str] = deque(maxlen=KEPT)
        self._readers: set[Callable[[str], object]] = set()
        self._rest = ""

    def write(self, text: str) -> int:
        """From any thread."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._lines.append(line)
            for tell in tuple(self._readers):
                tell(line)
        return self._target.write(text)

    def flush(self) -> None:
        self._target.flush()

    async def follow(self) -> AsyncGenerator[str]:
        """The lines that are kept, then each one as it is written."""
        queue: asyncio.Queue[str] = asyncio.Queue(BACKLOG)
        loop = asyncio.get_running_loop()

        def take(line: str) -> None:
            with suppress(asyncio.QueueFull):
                queue.put_nowait(line)

        def tell(line: str) -> None:
            loop.call_soon_threadsafe(take, line)

        kept = list(self._lines)
        self._readers.add(tell)
        try:
            for line in kept:
                yield line
            while True:
                yield await queue.get()
        finally:
            self._readers.discard(tell)


def set_up_own_log(level: str, form: Literal["auto", "text", "json"]) -> OwnLog:
    """Once, at the start. `auto` is text on a terminal, else JSON."""
    own_log = OwnLog(sys.stderr)
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    render = structlog.dev.ConsoleRenderer(pad_event_to=0) if as_text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", own_log)),  # it asks for write and flush alone
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    return own_log

"""What every executor is given, and what it must do."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from rota.core.outcome import Outcome, StopCause, stronger
from rota.core.run import Run
from rota.core.task import Task
from rota.logs import LogWriter


class StopRequest:
    """Asks one attempt to end. May be made several times; the strongest cause counts."""

    def __init__(self) -> None:
        self.cause: StopCause | None = None
        self.delivered = False
        self._asked = asyncio.Event()

    def ask(self, cause: StopCause) -> None:
        self.cause = stronger(self.cause, cause)
        self._asked.set()

    @property
    def is_asked(self) -> bool:
        return self._asked.is_set()

    async def wait(self) -> StopCause:
        await self._asked.wait()
        assert self.cause is not None  # noqa: S101  set before the event is
        return self.cause


class Context(Struct, kw_only=True):
    """One attempt, as its executor sees it.

    log         takes the output; `log.system(...)` for notes of our own
    secrets     environment variables that are never shown anywhere; the writer masks their values already
    stop        what to watch: the runner asks it for time-outs, cancels, shutdown
    on_started  to be called once with (pid, start time in clock ticks) when a process group exists, before anything can
                depend on it: after a crash the group is found and ended by it
    on_delivered  to be called when a stop has reached the work
    """

    task: Task
    run: Run
    log: LogWriter
    stop: StopRequest
    secrets: Mapping[str, str]
    on_started: Callable[[int, int], None]
    on_delivered: Callable[[], None]
    now_ms: Callable[[], int]


class Executor(Protocol):
    """How work of one kind is carried out.

    kind         the tag of its struct in `core.work`
    is_durable   whether an attempt after a crash goes on behind its finished steps; if so a crashed run is resumed
    """

    kind: str
    is_durable: bool

    def execute(self, context: Context) -> Awaitable[Outcome]:
        """Carry the attempt out and say what it came to. Failing work is an outcome, never an exception."""


Params = dict[str, Any]

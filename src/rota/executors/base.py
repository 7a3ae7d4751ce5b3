"""What every executor is given, and what it must do."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from rota.core.outcome import Outcome, StopCause, stronger
from rota.core.run import Run
from rota.core.task import Task
from rota.executors.timelimit import TimeLimit, no_limit
from rota.logs import Stream


class StopRequest:
    """Asks one attempt to end. May be made several times; the strongest cause counts.

    hurry  is set when whoever asks has no time for the rest of a grace period: what still works is to be killed now
    """

    def __init__(self) -> None:
        self.cause: StopCause | None = None
        self.hurry = asyncio.Event()
        self._asked = asyncio.Event()
        self._on_ask: Callable[[], object] | None = None

    def ask(self, cause: StopCause, *, hurry: bool = False) -> None:
        self.cause = stronger(self.cause, cause)
        self._asked.set()
        if hurry:
            self.hurry.set()
        if self._on_ask:
            self._on_ask()

    @property
    def is_asked(self) -> bool:
        return self._asked.is_set()

    async def wait(self) -> StopCause:
        await self._asked.wait()
        assert self.cause is not None  # noqa: S101  set before the event is
        return self.cause

    def watch(self, on_ask: Callable[[], object]) -> None:
        """Call `on_ask` at each request from now on: for who waits for something else too. One watcher at a time."""
        self._on_ask = on_ask


class RunLog(Protocol):
    """What takes a run's output, as `logs.LogWriter` does."""

    @property
    def overflowed(self) -> bool: ...

    @property
    def disk_pressure(self) -> bool: ...

    @property
    def is_drawing(self) -> bool: ...

    @property
    def lines_written(self) -> int: ...

    def write(self, stream: Stream, data: bytes, at_ms: int) -> None: ...

    def system(self, text: str, at_ms: int) -> None: ...


class Context(Struct, kw_only=True):
    """One attempt, as its executor sees it.

    log           takes the output; `log.system(text, at_ms)` for notes of our own. The runner opens and closes it
    secrets       environment variables that are never shown anywhere; the writer masks their values already
    stop          what to watch: the runner asks it for time-outs, cancels, shutdown
    on_started    to be called once with (pid, start time in clock ticks) when a process group exists, before anything can
                  depend on it: after a crash the group is found and ended by it
    on_delivered  to be called when a stop has reached the work
    now_ms        Unix time in milliseconds
    artifacts     the folder that the work may make, for files that are to be kept with the run; None where none are kept
    waiting       `with context.waiting():` while the attempt only waits for another run: it takes no place meanwhile
    limit         `with context.limit.paused():` while the attempt only waits for its turn: that does not count
    """

    task: Task
    run: Run
    log: RunLog
    stop: StopRequest
    secrets: Mapping[str, str]
    on_started: Callable[[int, int], None]
    on_delivered: Callable[[], None]
    now_ms: Callable[[], int]
    artifacts: Path | None = None
    waiting: Callable[[], AbstractContextManager[None]] = nullcontext
    limit: TimeLimit = field(default_factory=no_limit)

    def note(self, text: str) -> None:
        """A line of our own in the run's log."""
        self.log.system(text, self.now_ms())


class Executor(Protocol):
    """How work of one kind is carried out.

    kind         the tag of its struct in `core.work`
    is_durable   whether an attempt after a crash goes on behind its finished steps; if so a crashed run is resumed
    """

    kind: str
    is_durable: bool

    def execute(self, context: Context) -> Awaitable[Outcome]:
        """Carry the attempt out and say what it came to. Failing work is an outcome, never an exception.

        An outcome is given only when nothing of the attempt works any more. What is cancelled by asyncio ends its work at once.
        """


def kind_of(task: Task) -> str:
    """The tag of what it does."""
    return str(type(task.spec.executor).__struct_config__.tag)

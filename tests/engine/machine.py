"""A machine that is not there: a clock that is told the time, and processes that are entries in a table."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from tests.factories import NOON

from rota.bus import Bus
from rota.core.outcome import Outcome, StopCause, judge_exit, stronger
from rota.core.placement import Place, find_obstacles
from rota.core.run import Run
from rota.core.task import Task
from rota.runners.base import Claim, Delivered, Finished
from rota.runners.ledger import LedgerEntry, ProcessLedger

Key = tuple[str, int]


class Crash(BaseException):
    """The server dies here."""


class VirtualClock:
    """Wall and steady time, moved by hand."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._monotonic = 1000.0
        self.on_set: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock, which ends every wait for it."""
        self._now += timedelta(seconds=seconds)
        self.on_set()

    suspend = step  # steady time stands still while the machine sleeps

    async def wait(self, wake: asyncio.Event, until: datetime | None) -> None:
        if not wake.is_set() and until is not None and until > self._now:
            self.advance((until - self._now).total_seconds())


class Work(Struct, frozen=True):
    """What one attempt will do: how long it takes, how it exits, and how long it takes to obey a stop."""

    duration_s: float = 60.0
    exit_code: int = 0
    stop_s: float = 1.0


class Process(Struct):
    """One attempt's process. `ends_at` in steady time."""

    claim: Claim
    work: Work
    ends_at: float
    cause: StopCause | None = None

    @property
    def key(self) -> Key:
        return (self.claim.run.id, self.claim.run.fence)


class Machine:
    """The process table. It outlives every server.

    starts    processes started so far, by run
    on_point  is told each point at which a server could die: before and after what it does to the machine
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.processes: dict[Key, Process] = {}
        self.starts: Counter[str] = Counter()
        self.on_point: Callable[[str], None] = lambda _point: None
        self.on_start: Callable[[Process], None] = lambda _process: None

    def start(self, claim: Claim, work: Work) -> Process:
        process = Process(claim, work, self._clock.monotonic() + work.duration_s)
        self.on_start(process)
        self.processes[process.key] = process
        self.starts[claim.run.id] += 1
        return process

    def exit_of(self, process: Process) -> Outcome:
        codes = process.claim.task.spec.policy.exit_codes
        return judge_exit(143 if process.cause else process.work.exit_code, process.cause, codes)

    async def end_survivors(self, entries: Iterable[LedgerEntry]) -> int:
        """Stands for what the rescuer does to real processes."""
        self.on_point("survivors")
        found = [key for key in self.processes if key[0] in {entry.run_id for entry in entries}]
        for key in found:
            del self.processes[key]
        return len(found)

    def expire(self) -> None:
        """Processes that exited while no server was there to see it."""
        gone = [key for key, process in self.processes.items() if process.ends_at <= self._clock.monotonic()]
        for key in gone:
            del self.processes[key]

    def reboot(self) -> None:
        """The power fails."""
        self.processes.clear()


class FakeRunner:
    """Carries attempts out on the machine, journals them as the local runner does."""

    def __init__(
        self,
        machine: Machine,
        clock: VirtualClock,
        bus: Bus,
        ledger: ProcessLedger,
        plan_work: Callable[[Claim], Work],
        capacity: int = 64,
    ) -> None:
        self.capacity = capacity
        self.waiting = 0
        self.places = [Place(frozenset(), 10**6)]
        self._machine = machine
        self._clock = clock
        self._bus = bus
        self._ledger = ledger
        self._plan_work = plan_work
        self._going: dict[Key, Process] = {}
        self._finished: list[Finished] = []
        self._delivered: list[Delivered] = []
        self.acknowledged: list[Key] = []

    @property
    def busy(self) -> int:
        return len(self._going)

    @property
    def taken(self) -> int:
        return sum(process.claim.run.instance is None for process in self._going.values())

    async def abandon(self) -> None:
        self._going.clear()

    async def adopt(self, left: Sequence[tuple[Run, Task]], holder: str) -> list[Run]:
        return []

    def find_obstacles(self, tasks: Sequence[Task]) -> list[str | None]:
        return find_obstacles([task.spec.runs_on for task in tasks], self.places)

    def start(self, claims: Sequence[Claim]) -> None:
        if not claims:
            return
        self._machine.on_point("before the journal")
        self._ledger.starting(LedgerEntry(claim.run.id, claim.run.fence) for claim in claims)
        for claim in claims:
            self._machine.on_point("before a process")
            process = self._machine.start(claim, self._plan_work(claim))
            self._going[process.key] = process
            self._machine.on_point("after a process")

    def ask_stop(self, run_id: str, cause: StopCause) -> bool:
        going = [process for (going_id, _), process in self._going.items() if going_id == run_id]
        for process in going:
            if process.cause is None:
                process.ends_at = min(process.ends_at, self._clock.monotonic() + process.work.stop_s)
                self._delivered.append(Delivered(run_id, self._clock.now()))
                self._bus.wake("settler")
            process.cause = stronger(process.cause, cause)
        return bool(going)

    def poll(self) -> None:
        """Notice processes that have exited."""
        for key, process in list(self._going.items()):
            if process.ends_at <= self._clock.monotonic():
                del self._going[key], self._machine.processes[key]
                self._machine.on_point("before an end is journaled")
                finished = Finished(
                    run_id=key[0], fence=key[1], outcome=self._machine.exit_of(process), ended_at=self._clock.now()
                )
                self._ledger.finished(finished)
                self._finished.append(finished)
                self._bus.wake("settler")

    def next_end_in_s(self) -> float | None:
        ends = [process.ends_at - self._clock.monotonic() for process in self._going.values()]
        return max(0.0, min(ends)) if ends else None

    def take_finished(self) -> list[Finished]:
        taken, self._finished = self._finished, []
        return taken

    def take_delivered(self) -> list[Delivered]:
        taken, self._delivered = self._delivered, []
        return taken

    def acknowledge(self, finished: Iterable[Finished]) -> None:
        self._machine.on_point("before the acknowledgement")
        keys = [(item.run_id, item.fence) for item in finished]
        self._ledger.ended(keys)
        self.acknowledged += keys

    async def close(self, timeout_s: float) -> None:
        for run_id, _ in list(self._going):
            self.ask_stop(run_id, "shutdown")
        self._clock.advance(timeout_s)
        self.poll()

"""One server after another on a machine that is not there, with all its loops ticked by hand."""

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from tests.engine.machine import FakeRunner, Machine, VirtualClock, Work
from tests.factories import NOON, make_task, spec

from rota.blobs import LocalBlobs
from rota.bus import Bus
from rota.core.planning import open_schedule
from rota.core.run import Run
from rota.core.slot import Slot
from rota.core.task import Task
from rota.engine.context import Engine
from rota.engine.dispatcher import Dispatcher
from rota.engine.known import KnownTasks
from rota.engine.loop import Loop, Tick, wake_followers
from rota.engine.rescuer import Rescuer
from rota.engine.scheduler import Scheduler
from rota.engine.settler import Settler
from rota.engine.supervisor import Supervisor
from rota.ids import Ids
from rota.logs import RunLogs
from rota.ops.context import Rota
from rota.runners.base import Claim
from rota.runners.ledger import ProcessLedger
from rota.store import runs, slots, tasks
from rota.store.database import Database
from rota.store.database import Work as StoreWork
from rota.store.runs import NewRun
from rota.vitals import Vitals

T = TypeVar("T")
MOST_TICKS = 10_000


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waits for something that will not come")


class World:
    """A machine, a database that outlives servers, and the server that runs at this moment.

    work       what attempts of a task do, by the task's name; the default for the others
    plan_work  the same as a function of the claim
    """

    def __init__(self, folder: Path, database: Database, *, seed: int = 1, capacity: int = 64, start: datetime = NOON) -> None:
        self.random = Random(seed)
        self.clock = VirtualClock(start)
        self.machine = Machine(self.clock)
        self.database = database
        self.capacity = capacity
        self.work: dict[str, Work] = {}
        self.plan_work: Callable[[Claim], Work] = lambda claim: self.work.get(claim.task.name, Work())
        self.zone = "UTC"
        self.ids = Ids(self.clock, self.random.getrandbits)
        self._folder = folder
        self._ledger: ProcessLedger | None = None
        self.boot()

    # -- servers

    def boot(self) -> None:
        """Start a server, in the order of `main`."""
        self.build()
        drive(self.rescuer.tick())
        drive(self.supervisor.boot())
        drive(self.scheduler.boot())

    def build(self) -> None:
        self.shut()
        self.machine.expire()
        bus, vitals = Bus(epoch=self.ids.new()), Vitals(started_at=self.clock.now())
        self.ledger = self._ledger = ProcessLedger(self._folder / "processes.log")
        self.runner = FakeRunner(self.machine, self.clock, bus, self.ledger, lambda claim: self.plan_work(claim), self.capacity)
        self.engine = Engine(
            node=self.ids.new(), database=self.database, clock=self.clock, bus=bus, ids=self.ids, vitals=vitals,
            known=KnownTasks(self.zone), random=self.random,
        )  # fmt: skip
        self.rota = Rota(
            database=self.database, clock=self.clock, ids=self.ids, bus=bus, logs=RunLogs(self._folder / "logs"), vitals=vitals,
            blobs=LocalBlobs(self._folder / "blobs", self.database, self.clock), default_timezone=self.zone,
        )  # fmt: skip
        self.dispatcher = Dispatcher(self.engine, self.runner)
        self.settler = Settler(self.engine, self.runner, self.dispatcher)
        self.scheduler = Scheduler(self.engine)
        self.supervisor = Supervisor(self.engine)
        self.rescuer = Rescuer(self.engine, self.ledger, self.settler, self.machine.end_survivors)
        self.loops: list[Loop] = [self.settler, self.dispatcher, self.scheduler, self.supervisor]
        self._resting: dict[str, float] = {}
        self.clock.on_set = self._wake_all
        self.next_at: dict[str, datetime | None] = {loop.name: self.clock.now() for loop in self.loops}

    def shut(self) -> None:
        """The server is gone from one moment to the next; what it had started goes on."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def restart(self, after_s: float = 0.0) -> None:
        """Die, and start again some seconds later."""
        self.shut()
        self.clock.advance(after_s)
        self.boot()

    def cut_power(self) -> None:
        """The machine starts anew: no process is left, and the last lines of the journal may be missing."""
        self.machine.reboot()
        path = self._folder / "processes.log"
        _, *lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([b"boot before\n", *lines[: self.random.randint(0, len(lines))]]))

    # -- time

    def tick(self, loop: Loop) -> Tick:
        self.engine.bus.signal(loop.name).clear()
        self._resting.pop(loop.name, None)
        self.next_at[loop.name] = None
        tick = drive(loop.tick())
        self.next_at[loop.name] = self.clock.now() if tick.again else tick.next_at
        return tick

    def _wake_all(self) -> None:
        self.next_at = {loop.name: self.clock.now() for loop in self.loops}

    def rest_loop(self, loop: Loop, seconds: float) -> None:
        """After a fault, whatever wakes it meanwhile; as `keep_ticking` has it."""
        wake_followers(self.engine.bus)
        self._resting[loop.name] = self.clock.monotonic() + seconds

    def due(self) -> list[Loop]:
        """Loops that have a reason to do something now."""
        now, bus = self.clock.now(), self.engine.bus
        awake = [loop for loop in self.loops if self._resting.get(loop.name, 0.0) <= self.clock.monotonic()]
        return [loop for loop in awake if loop.name in self._resting or bus.signal(loop.name).is_set() or self._is_due(loop, now)]

    def _is_due(self, loop: Loop, now: datetime) -> bool:
        next_at = self.next_at[loop.name]
        return next_at is not None and next_at <= now

    def rest(self) -> None:
        """Tick until no loop has a reason to do anything."""
        for _ in range(MOST_TICKS):
            self.runner.poll()
            due = self.due()
            if not due:
                return
            self.tick(due[0])
        raise AssertionError("the loops never come to rest")

    def next_in_s(self) -> float | None:
        """Seconds to the next moment at which anything happens by itself."""
        now = self.clock.now()
        moments = [(next_at - now).total_seconds() for next_at in self.next_at.values() if next_at is not None]
        moments += [rested_at - self.clock.monotonic() for rested_at in self._resting.values()]
        end_in_s = self.runner.next_end_in_s()
        return max(0.0, min(moments + ([] if end_in_s is None else [end_in_s]))) if moments or end_in_s is not None else None

    def go(self, seconds: float = 0.0) -> None:
        """Let time pass, with everything that happens in it."""
        left_s = seconds
        while True:
            self.rest()
            next_s = self.next_in_s()
            if next_s is None or next_s > left_s:
                break
            self.clock.advance(next_s)
            left_s -= next_s
        self.clock.advance(left_s)
        self.rest()

    def go_until(self, moment: datetime) -> None:
        self.go((moment - self.clock.now()).total_seconds())

    # -- what is in the store

    def write(self, fn: StoreWork[T]) -> T:
        return drive(self.database.write(fn))

    def ask(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """An operation, as a surface would ask for it."""
        return drive(coroutine)

    def add(self, name: str = "backup", **fields: Any) -> Task:
        """An active task. `schedule`, `policy` and so on go into its document, moments and status into the task."""
        own = {key: fields.pop(key) for key in ("status", "owner_id", "source", "id") if key in fields}
        now = self.clock.now()
        document = spec(name=name, **fields)
        opening = open_schedule(document.schedule, document.policy.dst, now, self.zone)
        task = make_task(
            **{"id": self.ids.new(), **own}, spec=document, created_at=now, updated_at=now, anchor_at=now,
            cursor_at=opening.cursor_at, next_at=opening.next_at,
        )  # fmt: skip
        self.write(lambda c: tasks.insert_task(c, task))
        for loop in ("scheduler", "supervisor"):
            self.engine.bus.wake(loop)
        return task

    def add_run(self, task: Task, *, due_in_s: float = 0.0) -> Run:
        """A run that somebody asks for now."""
        now = self.clock.now()
        new = NewRun.of(task, self.ids.new(), "api", now, due_at=now + timedelta(seconds=due_in_s))
        self.write(lambda c: runs.insert_runs(c, [new]))
        self.engine.bus.wake("dispatcher")
        return new.run

    def task(self, task: Task) -> Task:
        return self.write(lambda c: tasks.get_task(c, task.id))

    def run(self, run: Run) -> Run:
        return self.write(lambda c: runs.get_run(c, run.id))

    def runs(self, task: Task) -> list[Run]:
        """All of a task, oldest first."""
        return self.write(lambda c: runs.list_runs(c, task_id=task.id, limit=100_000))[::-1]

    def states(self, task: Task) -> list[str]:
        return [run.state for run in self.runs(task)]

    def slots(self, task: Task) -> list[Slot]:
        """Oldest first."""
        return self.write(lambda c: slots.list_slots(c, task.id, limit=100_000))[::-1]

    def outcomes(self, task: Task) -> list[str]:
        return [slot.outcome for slot in self.slots(task)]

"""Weeks of a server's life in a second: all loops, a virtual clock, a machine that is not there, and seeded faults."""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from tests.engine.checker import Checker, expect
from tests.engine.machine import Crash, Work
from tests.engine.world import MOST_TICKS, World
from tests.factories import NOON

from rota.core.actor import OPERATOR
from rota.core.errors import RotaError, Unavailable
from rota.core.policy import Dst, Policy, Retry
from rota.core.schedule import CronSchedule, EventSchedule, OnceSchedule, RRuleSchedule
from rota.core.service import ServicePolicy
from rota.core.task import Task
from rota.engine.loop import REST_AFTER_FAULT
from rota.ops import events, runs, snooze, starts, steering
from rota.runners.base import Claim
from rota.store.database import Connection, Database
from rota.store.database import Work as StoreWork

T = TypeVar("T")
# An ordinary day, and the days before the clocks of Oslo go forward and back.
STARTS = (NOON, datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC))
HOUR, DAY = 3600.0, 86_400.0
STEPS_S = (1, -1, 3, -3, 600, -600, 4000, -4000, -5 * HOUR, 26 * HOUR, -26 * HOUR)
LONGEST_DRAIN_S = 40 * DAY


class Faults:
    """What goes wrong, as the seed has it. Probabilities are per write, and per thing done to the machine."""

    def __init__(self, random: Random, *, crash: float = 0.004, slow: float = 0.01, lost: float = 0.003) -> None:
        self._random = random
        self._crash, self._slow, self._lost = crash, slow, lost
        self.is_on = True
        self.asked = False
        self.outage_ends = 0.0
        self.told: Counter[str] = Counter()
        self.on_fault: Callable[[], None] = lambda: None

    def draw(self, kind: str, probability: float) -> bool:
        hit = self.is_on and self._random.random() < probability
        if hit:
            self.told[kind] += 1
            self.on_fault()
        return hit

    def point(self, name: str) -> None:
        if self.draw(f"crash {name}", self._crash):
            raise Crash(name)

    def delay_s(self) -> float:
        return self._random.choice((0.1, 2.0, 20.0, 300.0)) if self.draw("slow commit", self._slow) else 0.0

    def loses(self) -> bool:
        """Only loops find out by themselves; who asks for something has to look."""
        return not self.asked and self.draw("lost acknowledgement", self._lost)


class FaultyDatabase(Database):
    """The same database on a bad day: the server dies around a commit, a commit is slow, refused, or not acknowledged."""

    def __init__(self, inner: Database, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults
        self.advance: Callable[[float], None] = lambda _seconds: None
        self.monotonic: Callable[[], float] = lambda: 0.0

    async def write(self, fn: StoreWork[T]) -> T:
        faults = self._faults
        faults.point("before a write")
        self.advance(faults.delay_s())
        is_out = self.monotonic() < faults.outage_ends

        def work(c: Connection) -> T:
            result = fn(c)
            if is_out:
                raise Unavailable("the disk is full")
            return result

        result = await self._inner.write(work)
        faults.point("after a write")
        self.advance(faults.delay_s())
        if faults.loses():
            raise Unavailable("the connection was lost before the commit was acknowledged")
        return result

    async def read(self, fn: StoreWork[T]) -> T:
        return await self._inner.read(fn)

    def run(self, fn: StoreWork[T], *, write: bool = True) -> T:
        return self._inner.run(fn, write=write)


class Simulation:
    """One seed's life. `run` raises Broken where the promise is not kept."""

    def __init__(self, folder: Path, inner: Database, seed: int) -> None:
        self.random = Random(seed)
        self.faults = Faults(self.random)
        self.faults.is_on = False
        database = FaultyDatabase(inner, self.faults)
        start = self.random.choice(STARTS)
        self.world = World(folder, database, seed=seed, capacity=self.random.choice((2, 4, 64)), start=start)
        database.advance, database.monotonic = self.world.clock.advance, self.world.clock.monotonic
        self.world.machine.on_point = self.faults.point
        self.world.plan_work = self._plan_work
        self.is_up = True
        self.pace_s = self.random.choice((120.0, 3600.0, 6 * HOUR, 12 * HOUR))
        self.tasks = self._add_tasks()
        self.checker = Checker(self.world, list(self.tasks.values()))
        self.faults.on_fault = self.checker.calm
        self.steps = 0

    # -- what there is

    def _add_tasks(self) -> dict[str, Task]:
        minutes = int(self.pace_s // 60)
        often = f"*/{minutes} * * * *" if minutes < 60 else f"7 */{minutes // 60} * * *"
        oslo = "Europe/Oslo"
        add, soon = self.world.add, (self.world.clock.now() + timedelta(seconds=self.pace_s * 3)).isoformat()
        chained = {"policy": Policy(queue_max=500)}
        specs: dict[str, dict[str, Any]] = {
            "queue": {"schedule": CronSchedule(often), "policy": Policy(queue_max=3, catch_up="all", max_catch_up=4)},
            "skip": {"schedule": CronSchedule(often, oslo), "policy": Policy(overlap="skip", catch_up="skip", priority=2)},
            "newest": {"schedule": CronSchedule(often), "policy": Policy(overlap="terminate", jitter_s=90)},
            "wide": {"schedule": CronSchedule(often), "policy": Policy(max_concurrent=3, queue_max=2, jitter_s=60, priority=8)},
            "flaky": {
                "schedule": CronSchedule("30 2 * * *", oslo),
                "policy": Policy(retry=Retry(attempts=4, backoff="exponential_jitter", delay_s=10), misfire_grace_s=1800),
            },
            "left": {"schedule": CronSchedule(often), "policy": Policy(concurrency_key="door", max_concurrent=2)},
            "right": {"schedule": CronSchedule(often), "policy": Policy(concurrency_key="door", priority=1)},
            "resuming": {"schedule": CronSchedule("@every 5h"), "policy": Policy(resume_after_crash=True)},
            "wall": {"schedule": CronSchedule(often, oslo), "policy": Policy(dst=Dst(interval="wall"))},
            "weekly": {"schedule": RRuleSchedule("FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9", oslo)},
            "once": {"schedule": OnceSchedule(at=soon)},
            "past": {"schedule": OnceSchedule(at="2020-01-01T00:00:00Z")},
            "single": {"policy": Policy(dedupe_key="one", dedupe_window_s=self.pace_s)},
            "manual": {"policy": Policy(overlap="terminate", max_concurrent=2)},
            "at-start": {"run_on_start": True, "policy": Policy(overlap="skip")},
            "after-queue": {"schedule": EventSchedule("run.succeeded.queue"), **chained},
            "after-that": {"schedule": EventSchedule("run.succeeded.after-queue"), "policy": Policy(overlap="skip")},
            "circle": {"schedule": EventSchedule("run.succeeded.circle"), **chained},
            "on-crash": {"schedule": EventSchedule("run.crashed"), **chained},
            "on-cancel": {"schedule": EventSchedule("run.canceled"), **chained},
            "on-skip": {"schedule": EventSchedule("run.skipped.skip"), **chained},
            "on-replace": {"schedule": EventSchedule("run.stopped.newest"), **chained},
            "on-missed": {"schedule": EventSchedule("run.missed.queue"), **chained},
            "web": {"service": ServicePolicy(instances=2)},
            "worker": {"service": ServicePolicy(depends_on=["web"], restart="on_failure"), "policy": Policy(priority=9)},
            "doomed": {"service": ServicePolicy(start_retries=2)},
        }  # fmt: skip
        return {name: add(name, **fields) for name, fields in specs.items()}

    def _plan_work(self, claim: Claim) -> Work:
        draw, name = self.random.random, claim.task.name
        stop_s = self.random.choice((0.0, 1.0, 30.0))
        if claim.task.is_service:
            lasts_s = draw() * 20 if name == "doomed" else self.random.expovariate(1 / (2 * DAY))
            return Work(lasts_s, self.random.choice((0, 1)), stop_s)
        fails = draw() < (0.6 if name in ("flaky", "newest") else 0.1)
        longest_s = DAY if self.faults.is_on else 60.0
        return Work(min(longest_s, self.random.expovariate(1 / (self.pace_s * 0.4))), int(fails), stop_s)

    # -- what is done to it

    def meddle(self) -> None:
        kinds: list[tuple[float, Callable[[], None]]] = [
            (0.10, self._start), (0.04, self._cancel_run), (0.012, self._pause), (0.03, self._resume), (0.02, self._snooze),
            (0.02, self._publish), (0.004, self._set_clock), (0.004, self._sleep), (0.003, self._fill_disk),
            (0.002, self._cut_power),
        ]  # fmt: skip
        for probability, act in kinds:
            if self.random.random() < probability:
                act()

    def _ask(self, make: Callable[[], Awaitable[Any]]) -> None:
        """Operations are refused now and then, and nobody repeats them."""
        if self.is_up:
            self.faults.asked = True
            self._guard(lambda: self.world.ask(make()))  # type: ignore[arg-type]
            self.faults.asked = False

    def _guard(self, act: Callable[[], Any]) -> None:
        try:
            with suppress(RotaError):
                act()
        except Crash:
            self._die()
        self.checker.look(is_up=self.is_up)

    def _start(self) -> None:
        name = self.random.choice(["single", "single", "manual", "manual", "queue", "circle", "left", "wide"])
        for _ in range(self.random.choice((1, 1, 2, 5))):
            self._ask(lambda: starts.start_task(self.world.rota, OPERATOR, name, {}))

    def _cancel_run(self) -> None:
        live = self.world.database.run(lambda c: c.rows("SELECT id FROM runs WHERE state IN ('pending', 'running') ORDER BY id"))
        if live:
            run_id = self.random.choice(live)[0]
            self._ask(lambda: runs.cancel_run(self.world.rota, OPERATOR, run_id))

    def _pause(self) -> None:
        name = self.random.choice(["queue", "skip", "newest", "wide", "flaky", "left", "web", "worker"])
        self._ask(lambda: steering.pause_task(self.world.rota, OPERATOR, name))

    def _resume(self) -> None:
        for name in ("queue", "skip", "newest", "wide", "flaky", "left", "web", "worker"):
            self._ask(lambda name=name: steering.resume_task(self.world.rota, OPERATOR, name))  # type: ignore[misc]

    def _snooze(self) -> None:
        name = self.random.choice(["queue", "flaky", "weekly", "newest", "once", "wall"])
        delay_s = self.random.choice((30, 4000, 90_000))
        self._ask(lambda: snooze.snooze_task(self.world.rota, OPERATOR, name, delay_s))

    def _publish(self) -> None:
        self._ask(lambda: events.publish_event(self.world.rota, OPERATOR, "run.succeeded.queue", {}))

    def _set_clock(self) -> None:
        self.faults.told["clock set"] += 1
        self.world.clock.step(self.random.choice(STEPS_S))
        self.checker.calm()

    def _sleep(self) -> None:
        self.faults.told["suspend"] += 1
        self.world.clock.suspend(self.random.choice((60.0, self.pace_s * 5, 2 * DAY)))
        self.checker.calm()

    def _fill_disk(self) -> None:
        self.faults.told["disk full"] += 1
        self.faults.outage_ends = self.world.clock.monotonic() + self.random.choice((5.0, 600.0, 2 * HOUR))

    def _cut_power(self) -> None:
        self.faults.told["power cut"] += 1
        self._die()
        self.world.cut_power()

    # -- its life

    def _die(self) -> None:
        self.faults.told["deaths"] += 1
        self.world.shut()
        self.is_up = False
        self.checker.calm()

    def _come_up(self) -> None:
        """As an init system has it: again and again until it stays up."""
        self.world.clock.advance(self.random.choice((1.0, 30.0, self.pace_s, self.pace_s * 6)))
        try:
            self.world.boot()
        except Unavailable:
            self.world.shut()
        except Crash:
            self._die()
        else:
            self.is_up = True
        self.checker.calm()
        self.checker.look(is_up=self.is_up)

    def step(self, longest_s: float) -> None:
        """To the next moment at which something happens, or not quite."""
        self.steps += 1
        if not self.is_up:
            self._come_up()
            return
        self._work()
        if self.is_up:
            next_s = self.world.next_in_s()
            late_s = self.random.choice((0.0, 0.0, 0.01, 1.0))
            self.world.clock.advance(min(longest_s, longest_s if next_s is None else next_s + late_s))

    def _work(self) -> None:
        ticks = 0
        while self.is_up:
            ticks += 1
            expect(ticks < MOST_TICKS, "the loops never come to rest")
            try:
                self.world.runner.poll()
                due = self.world.due()
                if not due:
                    return
                self._tick(self.random.choice(due))
            except Crash:
                self._die()
            self.checker.look(is_up=self.is_up)

    def _tick(self, loop: Any) -> None:
        try:
            self.world.tick(loop)
        except Unavailable:
            self.checker.calm()
            self.world.rest_loop(loop, REST_AFTER_FAULT.total_seconds())

    def run(self, steps: int) -> None:
        self.faults.is_on = True
        start = self.world.clock.monotonic()
        for _ in range(steps):
            self.step(self.pace_s)
            if self.is_up and self.faults.is_on:
                self.meddle()
        self.days = (self.world.clock.monotonic() - start) / DAY
        self.drain()

    def drain(self) -> None:
        """No more faults and no more slots: everything that is there comes to its end."""
        self.faults.is_on = False
        self.faults.outage_ends = 0.0
        while not self.is_up:
            self.step(self.pace_s)
        self._resume()
        self.world.database.run(lambda c: c.run("UPDATE tasks SET next_at = NULL, status = 'active' WHERE is_service = 0"))
        for name, task in self.tasks.items():
            if task.is_service:
                self._ask(lambda name=name: steering.pause_task(self.world.rota, OPERATOR, name))  # type: ignore[misc]
        end = self.world.clock.monotonic() + LONGEST_DRAIN_S
        while self._is_live() and self.world.clock.monotonic() < end:
            self.step(HOUR)
        self.checker.check_end()
        expect(not self.world.engine.vitals.problems, self.world.engine.vitals.problems)

    def _is_live(self) -> bool:
        count = self.world.database.run(lambda c: c.row("SELECT COUNT(*) FROM runs WHERE state IN ('pending', 'running')"))
        return bool(count and count[0])

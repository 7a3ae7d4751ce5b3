"""The runner around every pass: it waits, it is woken, and no fault ends it."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from tests.engine.machine import VirtualClock
from tests.factories import NOON, at

from rota.bus import Bus, LoopName
from rota.core.errors import Unavailable
from rota.engine.loop import Tick, guarded_tick, keep_ticking
from rota.vitals import Vitals


class Passes:
    """A loop whose passes are told one by one; after the last it is cancelled. Notes when each began."""

    name: LoopName = "scheduler"

    def __init__(self, clock: VirtualClock, *passes: Callable[[], Tick]) -> None:
        self._clock = clock
        self._passes = iter(passes)
        self.began: list[datetime] = []

    async def tick(self) -> Tick:
        self.began.append(self._clock.now())
        next_pass = next(self._passes, None)
        if next_pass is None:
            raise asyncio.CancelledError
        return next_pass()


def fail(error: Exception) -> Callable[[], Tick]:
    def fault() -> Tick:
        raise error

    return fault


def keep(clock: VirtualClock, loop: Passes, vitals: Vitals | None = None) -> Bus:
    async def run() -> Bus:
        bus = Bus()
        with pytest.raises(asyncio.CancelledError):
            await keep_ticking(loop, clock, bus, vitals or Vitals(started_at=NOON))
        return bus

    return asyncio.run(run())


def test_a_loop_waits_until_its_next_moment() -> None:
    clock = VirtualClock()
    loop = Passes(clock, lambda: Tick(next_at=at(30)), lambda: Tick(next_at=at(90)))
    keep(clock, loop)
    assert loop.began == [at(0), at(30), at(90)]


def test_a_loop_that_has_more_to_do_goes_on_at_once() -> None:
    clock = VirtualClock()
    loop = Passes(clock, lambda: Tick(again=True, next_at=at(30)), lambda: Tick(next_at=at(5)))
    keep(clock, loop)
    assert loop.began == [at(0), at(0), at(5)]


def test_a_wake_up_during_a_pass_is_not_lost() -> None:
    clock, bus = VirtualClock(), Bus()

    def woken() -> Tick:
        bus.wake("scheduler")
        return Tick(next_at=NOON + timedelta(days=1))

    loop = Passes(clock, woken)

    async def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            await keep_ticking(loop, clock, bus, Vitals(started_at=NOON))

    asyncio.run(run())
    assert loop.began == [at(0), at(0)]


def test_a_fault_is_rested_on_and_does_not_end_the_loop() -> None:
    clock = VirtualClock()
    loop = Passes(clock, fail(RuntimeError("oops")), fail(Unavailable("no disk")), lambda: Tick(next_at=at(60)))
    keep(clock, loop)
    assert loop.began == [at(0), at(1), at(2), at(60)]


@pytest.mark.parametrize("follower", ["dispatcher", "supervisor", "notifier"])
def test_after_a_fault_others_look_for_what_was_written_all_the_same(follower: str) -> None:
    clock = VirtualClock()
    bus = keep(clock, Passes(clock, fail(Unavailable("the commit was not acknowledged"))))
    assert bus.signal(follower).is_set()


def test_a_fault_is_a_known_problem_until_a_pass_succeeds() -> None:
    clock, vitals = VirtualClock(), Vitals(started_at=NOON)
    loop = Passes(clock, fail(RuntimeError("oops")), fail(Unavailable("no disk")), Tick)
    problems = []

    async def run() -> None:
        for _ in range(3):
            await guarded_tick(loop, vitals)
            problems.append(dict(vitals.problems))

    asyncio.run(run())
    assert problems == [{"scheduler": "RuntimeError: oops"}, {"scheduler": "no disk"}, {}]

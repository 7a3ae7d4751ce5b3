"""The one shape of all loops: a pass that returns counts, and a runner around it that waits for the next reason."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import structlog
from msgspec import Struct, field

from rota.bus import Bus, LoopName
from rota.clock import Clock
from rota.core.errors import Unavailable
from rota.vitals import Vitals

log = structlog.get_logger()
T = TypeVar("T")

# So that a lasting fault is not a busy one.
REST_AFTER_FAULT = timedelta(seconds=1)
# What a pass that failed has written may stand in the store all the same, and these were not woken for it.
FOLLOWERS: tuple[LoopName, ...] = ("dispatcher", "supervisor", "notifier")


class Tick(Struct, frozen=True):
    """What one pass did.

    next_at  when the loop has work again by itself; None if only a wake-up brings any
    again    there is more to do right now
    """

    counts: dict[str, int] = field(default_factory=dict)
    next_at: datetime | None = None
    again: bool = False


class Loop(Protocol):
    """Something that is done again and again. A pass may be repeated at any time: it looks into the store for its work."""

    name: LoopName

    async def tick(self) -> Tick:
        """One pass."""


async def keep_ticking(loop: Loop, clock: Clock, bus: Bus, vitals: Vitals, on_fault: Callable[[], object] = lambda: None) -> None:
    """Run whole passes until cancelled: at once when woken, else when the last pass said."""
    wake = bus.signal(loop.name)
    while True:
        wake.clear()
        tick = await _whole(guarded_tick(loop, vitals))
        bus.tell_pass(loop.name)
        if tick is None:
            on_fault()
            bus.miss()  # what it had to tell may stand in the store all the same
            # A fault is rested on whatever happens meanwhile: what woke us is still in the store afterwards.
            await clock.wait(asyncio.Event(), clock.now() + REST_AFTER_FAULT)
            wake_followers(bus)
        elif tick.again:
            await asyncio.sleep(0)
        else:
            await clock.wait(wake, tick.next_at)


def wake_followers(bus: Bus) -> None:
    """After a fault: whoever goes on with what a pass writes looks for itself."""
    for name in FOLLOWERS:
        bus.wake(name)


async def _whole(work: Coroutine[Any, Any, T]) -> T:
    """A pass that has begun is finished, even when its loop is cancelled: what it has written is to be acted upon too."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def guarded_tick(loop: Loop, vitals: Vitals) -> Tick | None:
    """A pass whose fault is recorded and does not end the loop; None if there was one."""
    try:
        tick = await loop.tick()
    except Unavailable as fault:
        vitals.problems[loop.name] = fault.message
        log.warning("loop has to wait", loop=loop.name, why=fault.message)
    except Exception as fault:
        vitals.problems[loop.name] = f"{type(fault).__name__}: {fault}"
        log.exception("loop failed", loop=loop.name)
    else:
        vitals.problems.pop(loop.name, None)
        return tick
    return None

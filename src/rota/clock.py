"""The only reader of the time, and the only way to wait for a moment."""

import asyncio
import contextlib
import ctypes
import errno
import functools
import os
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

# Without a timer that follows the wall clock we look at least this often, so that a clock set forward is noticed.
LONGEST_SLEEP_S = 30.0


def steady_s() -> float:
    """Seconds that never jump, and go on while the machine sleeps (CLOCK_BOOTTIME; elsewhere those of the process)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Clock(Protocol):
    """Wall time, steady time, and waiting for a wall time."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never jump; they stand still while the machine sleeps."""

    async def wait(self, wake: asyncio.Event, until: datetime | None) -> None:
        """Return when `wake` is set, when the wall clock reaches `until`, or when the wall clock was set."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def wait(self, wake: asyncio.Event, until: datetime | None) -> None:
        if wake.is_set() or (until is not None and until <= self.now()):
            return
        with _wall_timer(until, wake) as armed:
            if armed:
                await wake.wait()
                return
            await self._nap(wake, until)

    async def _nap(self, wake: asyncio.Event, until: datetime | None) -> None:
        left_s = LONGEST_SLEEP_S if until is None else max(0.0, (until - self.now()).total_seconds())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(left_s, LONGEST_SLEEP_S)):
                await wake.wait()


_CLOCK_REALTIME = 0
_TFD_NONBLOCK, _TFD_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
# Absolute, and woken with ECANCELED whenever the wall clock is set (timerfd_create(2)); this also covers a resume from sleep.
_TFD_TIMER_ABSTIME, _TFD_TIMER_CANCEL_ON_SET = 1, 2
_FAR = timedelta(days=3650)


@contextlib.contextmanager
def _wall_timer(until: datetime | None, wake: asyncio.Event) -> Iterator[bool]:
    """A kernel timer on the wall clock that sets `wake`. Yields False where the system has none."""
    fd = _timerfd(until or datetime.now(UTC) + _FAR)
    if fd is None:
        yield False
        return
    loop = asyncio.get_running_loop()
    loop.add_reader(fd, wake.set)
    try:
        yield True
    finally:
        loop.remove_reader(fd)
        os.close(fd)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _timerfd(until: datetime) -> int | None:
    try:
        libc = _libc()
        fd = int(libc.timerfd_create(_CLOCK_REALTIME, _TFD_NONBLOCK | _TFD_CLOEXEC))
    except (OSError, AttributeError):
        return None
    if fd < 0:
        return None
    micros = int(until.timestamp() * 1_000_000)
    spec = struct.pack("llll", 0, 0, micros // 1_000_000, micros % 1_000_000 * 1000)
    if libc.timerfd_settime(fd, _TFD_TIMER_ABSTIME | _TFD_TIMER_CANCEL_ON_SET, spec, None) < 0:
        failed = ctypes.get_errno()
        os.close(fd)
        if failed == errno.ECANCELED:  # the clock was set between the two calls: look again at once
            return _timerfd(until)
        return None
    return fd

"""How busy the machine is: now, and in the last few minutes."""

import asyncio
from collections import deque

from msgspec import Struct

from rota.bus import Bus
from rota.clock import Clock, SystemClock
from rota.config.origin import Origin
from rota.process.host import CpuTimes, read_cpu_times, read_memory

EVERY_S = 5.0
KEPT = 32


class Sample(Struct, frozen=True):
    """`ts` in Unix seconds; `cpu` and `mem` in percent of the machine, the rest in bytes."""

    ts: int
    cpu: float
    mem: float
    mem_used: int
    mem_total: int


class Machine:
    """Samples are taken from the first time that somebody asks; a server nobody looks at has nothing to do.

    On the same beat it is looked whether the settings file has changed.
    """

    def __init__(self, clock: Clock | None = None, bus: Bus | None = None, origin: Origin | None = None) -> None:
        self._clock = clock or SystemClock()
        self._bus = bus or Bus()
        self._origin = origin or Origin()
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._before = CpuTimes(0, 0)
        self._stale = False
        self._sampling: asyncio.Task[None] | None = None

    def samples(self) -> list[Sample]:
        """The last ones, oldest first; the newest is no older than the beat."""
        self.watch()
        return list(self._samples)

    def watch(self) -> None:
        """Begin to sample, if that has not begun."""
        if self._sampling is None or self._sampling.done():
            self.take()
            self._sampling = asyncio.get_running_loop().create_task(self._keep_sampling(), name="machine")

    def take(self) -> Sample:
        """One sample, since the one before; the first covers the time since the machine started."""
        before, self._before = self._before, read_cpu_times()
        total = self._before.total - before.total
        busy = total - (self._before.idle - before.idle)
        memory = read_memory()
        sample = Sample(
            ts=int(self._clock.now().timestamp()),
            cpu=round(100 * busy / total, 1) if total > 0 else 0.0,
            mem=round(100 * memory.used / memory.total, 1) if memory.total else 0.0,
            mem_used=memory.used,
            mem_total=memory.total,
        )
        self._samples.append(sample)
        return sample

    def close(self) -> None:
        if self._sampling is not None:
            self._sampling.cancel()

    async def _keep_sampling(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            sample = self.take()
            self._bus.publish("system.sample", {"sample": sample, "owner_id": None})
            stale = self._origin.is_stale()
            if stale != self._stale:
                self._stale = stale
                self._bus.publish("config.stale", {"stale": stale, "owner_id": None})

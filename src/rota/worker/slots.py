"""The places of a worker, as its queues share them: one that is full asks for nothing."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable

from temporalio.worker import CustomSlotSupplier, SlotMarkUsedContext, SlotPermit, SlotReleaseContext, SlotReserveContext


class Asking(SlotPermit):
    """A question for work of one queue; `is_taken` once there was an answer."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.is_taken = False


class Slots(CustomSlotSupplier):
    """Every queue may be asked for as much as there is room for in all, since none says beforehand what it holds. So several may
    answer at once where there is room for one; whoever comes too late is sent back.

    count_waiting  attempts that take no place at this moment
    """

    def __init__(self, capacity: int, count_waiting: Callable[[], int]) -> None:
        self._capacity = capacity
        self._count_waiting = count_waiting
        self._taken = 0
        self._asking: Counter[str] = Counter()
        # Permits are taken and given back in threads of the SDK.
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._change = asyncio.Event()

    def look_again(self) -> None:
        """There may be more room now. From any thread."""
        self._loop.call_soon_threadsafe(self._tell)

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        while True:
            change = self._change
            permit = self.try_reserve_slot(ctx)
            if permit is not None:
                return permit
            await change.wait()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        with self._lock:
            if self._taken + self._asking[ctx.task_queue] >= self._capacity + self._count_waiting():
                return None
            self._asking[ctx.task_queue] += 1
            return Asking(ctx.task_queue)

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        asking = ctx.permit
        if isinstance(asking, Asking) and not asking.is_taken:
            asking.is_taken = True
            with self._lock:
                self._asking[asking.queue] -= 1
                self._taken += 1

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        asking = ctx.permit
        if isinstance(asking, Asking):
            with self._lock:
                if asking.is_taken:
                    self._taken -= 1
                else:
                    self._asking[asking.queue] -= 1
            self.look_again()

    def _tell(self) -> None:
        change, self._change = self._change, asyncio.Event()
        change.set()

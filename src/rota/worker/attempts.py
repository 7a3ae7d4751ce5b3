"""What a worker does with the attempts that come to it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from rota.blobs import Blobs
from rota.bus import OVER, Bus
from rota.clock import Clock
from rota.core.errors import StaleFence
from rota.core.outcome import Outcome, StopCause
from rota.core.run import Run
from rota.core.task import Task
from rota.engine.claiming import read_claim
from rota.engine.relay import messages_of
from rota.logs import LogName, RunLogs
from rota.runners import LocalRunner
from rota.runners.base import Claim, Finished
from rota.runners.copies.mirror import Mirror
from rota.runners.copies.shipper import Shipper
from rota.runners.fleet.link import DONE, FULL, REFUSED
from rota.runners.keeper import Keeper
from rota.runners.persisting import persisting
from rota.store import placements, runs, settlement, sharedlogs
from rota.store.database import Connection, Database
from rota.store.sharedlogs import SharedLog
from rota.store.wakeups import call_out
from rota.vitals import Vitals
from rota.worker.hold import Hold

T = TypeVar("T")
MakeHold = Callable[[Callable[[], None], Callable[[float], None]], Hold]
log = structlog.get_logger("rota.worker")


class Tools(Struct, kw_only=True):
    """What attempts are carried out with.

    name        of the worker, a new one each time it starts
    may_go_on   whether work of a task that this worker leaves is to be gone on with, or begun again, by another
    """

    name: str
    database: Database
    clock: Clock
    bus: Bus
    logs: RunLogs
    vitals: Vitals
    blobs: Blobs
    runner: LocalRunner
    keeper: Keeper
    may_go_on: Callable[[Task], bool]


class Attempts:
    """Each is taken in the store before anything of it begins, and told to be over before Temporal hears of it.

    on_room  called when one takes no place any more
    """

    def __init__(self, tools: Tools, on_room: Callable[[], None]) -> None:
        self._tools = tools
        self._on_room = on_room
        self._telling = 0
        self._going: dict[str, asyncio.Future[Finished] | None] = {}
        self.is_leaving = False
        self.idle = asyncio.Event()
        self.idle.set()

    @property
    def count(self) -> int:
        return len(self._going)

    @property
    def placeless(self) -> int:
        """Those that only wait for another run, or are over and only have to be told of, take no place."""
        return self._tools.runner.waiting + self._telling

    @property
    def busy(self) -> int:
        return len(self._going) - self.placeless

    async def carry_out(self, run_id: str, fence: int, make_hold: MakeHold) -> str:
        """One activity. Raises StaleFence if it was lost meanwhile: nothing of it works then, and the store knows."""
        tools = self._tools
        if self.is_leaving or self.busy >= tools.runner.capacity or run_id in self._going:
            return f"{FULL} {tools.name}"
        self._going[run_id] = None
        self.idle.clear()
        asked = asyncio.Event()
        hold = make_hold(asked.set, partial(tools.keeper.hold, run_id, fence))
        keeping = asyncio.create_task(hold.keep())
        try:
            return await self._work(run_id, fence, hold, keeping, asked)
        except StaleFence:
            log.warning("an attempt was lost, and was ended here", run_id=run_id, fence=fence)
            raise
        finally:
            keeping.cancel()
            tools.keeper.over(run_id, fence)
            self._going.pop(run_id, None)
            if not self._going:
                self.idle.set()

    async def collect(self) -> None:
        """Hand what has ended to those who wait for it, and tell of stops that have reached the work; until cancelled."""
        tools = self._tools
        wake = tools.bus.signal("settler")
        while True:
            await wake.wait()
            wake.clear()
            for finished in tools.runner.take_finished():
                future = self._going.get(finished.run_id)
                if future is not None and not future.done():
                    future.set_result(finished)
            for delivered in tools.runner.take_delivered():
                await self._write(partial(runs.mark_delivered, run_ids=[delivered.run_id], at=delivered.at))

    async def _work(self, run_id: str, fence: int, hold: Hold, keeping: "asyncio.Task[None]", asked: asyncio.Event) -> str:
        taken = await self._write(lambda c: None if hold.is_over else self._take(c, run_id, fence))
        if taken is None:
            return REFUSED
        (claim, shared), tools = taken, self._tools
        name = LogName(claim.task.name, claim.run.created_at, run_id)
        tools.logs.delete(name)  # of an earlier life, with lines that nobody was told
        if shared is not None:
            mirror = Mirror(tools.database, tools.logs, tools.blobs)
            await persisting(partial(mirror.bring, name, shared, is_final=True))
        shipper = Shipper(tools.database, tools.logs.paths(name), run_id, fence, tools.name, shared, tools.runner.growth)
        try:
            finished = await self._carry_out(claim, shipper, asked, hold, keeping) if await _is_begun(hold, keeping) else None
            with self._without_place():
                await shipper.ship(is_over=True)
                await self._tell(claim, finished or self._lost(run_id, fence))
        finally:
            shipper.close()
        tools.logs.delete(name)
        if finished is None:
            raise StaleFence(f"run {run_id} was lost")
        tools.runner.acknowledge([finished])
        return DONE

    def _lost(self, run_id: str, fence: int) -> Finished:
        """What servers need not wait for Temporal to say."""
        why = f"the worker {self._tools.name} was cut off from Temporal while this was running"
        outcome = Outcome(state="crashed", reason="node_died", error=why)
        return Finished(run_id=run_id, fence=fence, outcome=outcome, ended_at=self._tools.clock.now())

    @contextlib.contextmanager
    def _without_place(self) -> Iterator[None]:
        """So that the next is asked for while it is on its way."""
        self._telling += 1
        self._on_room()
        try:
            yield
        finally:
            self._telling -= 1

    def _take(self, c: Connection, run_id: str, fence: int) -> tuple[Claim, SharedLog | None] | None:
        """With where its log has come to, which nobody else writes from now on."""
        tools = self._tools
        if not placements.take(c, run_id, fence, tools.name, tools.clock.now()):
            return None
        return read_claim(c, run_id), sharedlogs.take_over(c, run_id, tools.name, fence)

    async def _carry_out(
        self, claim: Claim, shipper: Shipper, asked: asyncio.Event, hold: Hold, keeping: "asyncio.Task[None]"
    ) -> Finished | None:
        """None if it was lost, and so was ended."""
        runner, run_id = self._tools.runner, claim.run.id
        over: asyncio.Future[Finished] = asyncio.get_running_loop().create_future()
        self._going[run_id] = over
        runner.start([claim])
        if self.is_leaving:  # it was taken while the runner was closed, which nobody does a second time
            runner.ask_stop(run_id, "shutdown")
        beside = [
            asyncio.create_task(shipper.keep_shipping()),
            asyncio.create_task(self._obey(run_id, asked)),
        ]
        try:
            waited_for: list[asyncio.Future[Any]] = [over, beside[0], keeping]
            await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
            if over.done() and not hold.is_over:  # else it may have been ended from outside, for that it was lost
                return over.result()
            if beside[0].done():  # the log is taken no more
                await beside[0]
            await self._end(run_id, over)
            return None
        except BaseException:
            await self._end(run_id, over)
            raise
        finally:
            for task in beside:
                task.cancel()

    async def _end(self, run_id: str, over: "asyncio.Future[Finished]") -> None:
        """Nothing of it works when this returns. What it came to counts for nothing."""
        self._tools.runner.kill(run_id)
        finished = await asyncio.shield(over)
        self._tools.runner.acknowledge([finished])

    async def _obey(self, run_id: str, asked: asyncio.Event) -> None:
        """Pass each request to stop on; the store knows why."""
        while True:
            await asked.wait()
            asked.clear()
            causes = await self._write(lambda c: settlement.list_stop_causes(c, [run_id]))
            cause: StopCause = causes.get(run_id, "stop")
            self._tools.runner.ask_stop(run_id, cause)

    async def _tell(self, claim: Claim, finished: Finished) -> None:
        """Write down what it came to. Raises StaleFence if that is no longer ours to say."""
        run = claim.run
        told = replace(self._as_left(claim.task, finished), spent=self._tools.vitals.take_spent())
        text = msgspec.json.encode(told).decode()
        if not await self._write(lambda c: self._finish(c, run, text)):
            raise StaleFence(f"run {run.id} has gone to another worker")

    def _finish(self, c: Connection, run: Run, text: str) -> bool:
        """Servers hear of it by the same transaction, before they would from Temporal."""
        is_ours = placements.finish(c, run.id, run.fence, self._tools.name, text)
        if is_ours:
            call_out(c, messages_of([[OVER, {"run_id": run.id, "fence": run.fence}]]))
        return is_ours

    def _as_left(self, task: Task, finished: Finished) -> Finished:
        """What only ended because this worker did may go on elsewhere."""
        outcome = finished.outcome
        if outcome.reason not in ("shutdown", "shutdown_overrun") or not self._tools.may_go_on(task):
            return finished
        return replace(finished, outcome=Outcome(state="crashed", reason="node_died", error="its worker was stopped"))

    async def _write(self, fn: Callable[[Connection], T]) -> T:
        return await persisting(lambda: self._tools.database.write(fn))


async def _is_begun(hold: Hold, keeping: "asyncio.Task[None]") -> bool:
    """Waits for the first sign of life to be answered. False if it was lost before."""
    begun = asyncio.create_task(hold.begun.wait())
    await asyncio.wait([begun, keeping], return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    return hold.begun.is_set() and not hold.is_over

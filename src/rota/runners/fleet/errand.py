"""One attempt that was handed out: followed to its end, whatever breaks on the way."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from rota.clock import Clock
from rota.core.errors import Unavailable
from rota.core.outcome import STOP_OUTCOMES, Outcome, StopCause
from rota.core.run import Run
from rota.core.task import Task
from rota.logs import LogName
from rota.runners.base import Finished
from rota.runners.fleet.link import End, Errand, How, Link
from rota.store import placements, settlement
from rota.store.connection import Connection
from rota.store.database import Database
from rota.store.placements import Placement
from rota.vitals import Vitals

if TYPE_CHECKING:
    from temporalio.client import ActivityHandle

T = TypeVar("T")

PAUSE_S, LONGEST_PAUSE_S = 0.2, 2.0
PROBLEM = "temporal"
# After these nobody works on it: its worker said so, or Temporal has not heard of one for as long as it takes to lose it.
NOBODY: frozenset[How] = frozenset({"done", "silent", "unstarted", "recalled"})


class Out(Struct):
    """An attempt that was handed out. `changed` is set when it is asked to stop, `told` when its worker has said that it is over;
    `is_over` when its place is free."""

    errand: Errand
    run: Run
    task: Task
    changed: asyncio.Event
    told: asyncio.Event
    is_over: bool = False
    cause: StopCause | None = None
    follower: "asyncio.Task[None] | None" = None

    @property
    def key(self) -> tuple[str, int]:
        return (self.run.id, self.run.fence)

    @property
    def log(self) -> LogName:
        return LogName(self.task.name, self.run.created_at, self.run.id)

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(self.errand.labels)


class Errands:
    """How each is carried through. Holds nothing of them."""

    def __init__(self, link: Link, database: Database, clock: Clock, vitals: Vitals) -> None:
        self._link = link
        self._database = database
        self._clock = clock
        self._vitals = vitals
        self._queues: set[str] = set()

    async def carry(self, out: Out) -> End:
        """Hand it out and wait until Temporal, or its worker, says that it has ended."""
        carrying, told = asyncio.create_task(self._carry(out)), asyncio.create_task(out.told.wait())
        try:
            await asyncio.wait([carrying, told], return_when=asyncio.FIRST_COMPLETED)
            # What it came to is in the store then: Temporal has nothing to add, if it is there at all.
            return End("done") if told.done() else await carrying
        finally:
            for task in (carrying, told):
                task.cancel()
            await asyncio.gather(carrying, told, return_exceptions=True)

    async def _carry(self, out: Out) -> End:
        """However often the connection breaks meanwhile."""
        pause_s = PAUSE_S
        while True:
            try:
                await self._open_queue(out.errand)
                handle = await self._link.start(out.errand)
                self._vitals.problems.pop(PROBLEM, None)
                return await self._watch(out, handle)
            except Unavailable as error:
                self._vitals.problems[PROBLEM] = error.message
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await out.changed.wait()
            if out.changed.is_set():
                if await self._write(lambda c: placements.recall(c, *out.key)):
                    return End("recalled")
                await asyncio.sleep(pause_s)  # who has it is asked as soon as it can be
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def account(self, out: Out, end: End) -> Finished | None:
        """What it came to; None if nothing of it was begun. From here on no worker takes it or says anything of it."""
        if end.how not in NOBODY:
            found = await self._write(lambda c: placements.find_placement(c, *out.key))
            if found is not None and found.worker and not found.finished:
                # Its worker has not lost its hold yet, and stops when it does: only then may another have the run.
                await asyncio.sleep(self._link.silence.lost_after_s)
        placement = await self._write(lambda c: self._close(c, out))
        if placement.worker is None:
            return self._stopped(out)
        finished = _read_account(placement)
        is_lost = finished is None or (out.cause is not None and finished.outcome.reason == "node_died")
        return self._lost(out, placement.worker) if is_lost else finished

    def _close(self, c: Connection, out: Out) -> Placement:
        """Whoever has adopted it since may not have heard yet that it was asked to stop; the store knows."""
        out.cause = out.cause or settlement.list_stop_causes(c, [out.run.id]).get(out.run.id)
        return placements.close(c, *out.key)

    async def _watch(self, out: Out, handle: "ActivityHandle[str]") -> End:
        over = asyncio.create_task(self._link.until_over(handle))
        asking = asyncio.create_task(self._pass_stops_on(out, handle))
        both: list[asyncio.Task[Any]] = [over, asking]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not over.done():
                await asking  # it has failed
            return over.result()
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _pass_stops_on(self, out: Out, handle: "ActivityHandle[str]") -> None:
        """Until cancelled. Raises Unavailable with the stop still to be asked for."""
        while True:
            await out.changed.wait()
            await self._link.cancel(handle, out.cause or "stop")
            out.changed.clear()

    async def _open_queue(self, errand: Errand) -> None:
        labels = ",".join(errand.labels)
        if labels not in self._queues:
            await self._database.write(lambda c: placements.note_queue(c, labels))
            self._queues.add(labels)

    def _stopped(self, out: Out) -> Finished | None:
        if out.cause is None:
            return None
        state, reason = STOP_OUTCOMES[out.cause]
        return self._finish(out, Outcome(state=state, reason=reason))

    def _lost(self, out: Out, worker: str) -> Finished:
        """Nobody works on it any more, and nobody knows how far it came."""
        state, reason = STOP_OUTCOMES[out.cause] if out.cause else ("crashed", "node_died")
        why = f"the worker {worker} died or was cut off while this was running"
        return self._finish(out, Outcome(state=state, reason=reason, error=why))

    def _finish(self, out: Out, outcome: Outcome) -> Finished:
        return Finished(run_id=out.run.id, fence=out.run.fence, outcome=outcome, ended_at=self._clock.now())

    async def _write(self, fn: Callable[[Connection], T]) -> T:
        return await persisting(lambda: self._database.write(fn))


async def persisting(ask: Callable[[], Awaitable[T]]) -> T:
    """Until the database is there."""
    pause_s = PAUSE_S
    while True:
        try:
            return await ask()
        except Unavailable:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


def _read_account(placement: Placement) -> Finished | None:
    return msgspec.json.decode(placement.finished, type=Finished) if placement.finished else None

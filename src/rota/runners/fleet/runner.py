"""Hands attempts out to workers, and brings back what they came to."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec
import structlog
from msgspec import Struct

from rota.bus import Bus
from rota.clock import Clock
from rota.core.errors import Unavailable
from rota.core.outcome import STOP_OUTCOMES, Outcome, StopCause, stronger
from rota.core.run import Run
from rota.core.task import Task
from rota.logs import LogName
from rota.runners.base import Claim, Delivered, Finished
from rota.runners.fleet.crew import Crew
from rota.runners.fleet.link import BEAT_S, SILENCE, End, Errand, Link
from rota.store import nodes, placements
from rota.store.connection import Connection
from rota.store.database import Database
from rota.store.placements import Placement
from rota.vitals import Vitals

if TYPE_CHECKING:
    from temporalio.client import ActivityHandle

T = TypeVar("T")
log = structlog.get_logger("rota.runner")

PAUSE_S, LONGEST_PAUSE_S = 0.2, 2.0
PROBLEM = "temporal"
# Nobody took it; it can be asked for again at once.
GiveBack = Callable[[Sequence[tuple[str, int]]], Awaitable[object]]
Fetch = Callable[[LogName], Awaitable[object]]


class Out(Struct):
    """An attempt that was handed out. `changed` is set when it is asked to stop."""

    errand: Errand
    run: Run
    task: Task
    changed: asyncio.Event
    cause: StopCause | None = None
    follower: "asyncio.Task[None] | None" = None

    @property
    def log(self) -> LogName:
        return LogName(self.task.name, self.run.created_at, self.run.id)

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(self.errand.labels)


class TemporalRunner:
    """Holds nothing that is not in the store or in Temporal: whoever comes after it goes on with what is out.

    give_back  lets claims wait again that nobody has taken
    fetch      brings the log of a run here, before it is told that its attempt is over
    """

    waiting = 0
    taken = None

    def __init__(
        self,
        link: Link,
        crew: Crew,
        database: Database,
        clock: Clock,
        bus: Bus,
        vitals: Vitals,
        give_back: GiveBack,
        fetch: Fetch,
    ) -> None:
        self._link = link
        self._crew = crew
        self._database = database
        self._clock = clock
        self._bus = bus
        self._vitals = vitals
        self._give_back = give_back
        self._fetch = fetch
        self._out: dict[str, Out] = {}
        self._finished: list[Finished] = []
        self._queues: set[str] = set()
        self._chores: set[asyncio.Task[None]] = set()

    @property
    def capacity(self) -> int:
        return self._crew.capacity

    @property
    def busy(self) -> int:
        return len(self._out)

    def find_obstacles(self, tasks: Sequence[Task]) -> list[str | None]:
        return self._crew.find_obstacles([frozenset(task.spec.runs_on) for task in tasks])

    def start(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._begin(claim.run, claim.task)

    async def adopt(self, left: Sequence[tuple[Run, Task]], holder: str) -> list[Run]:
        """Go on with attempts that a server left which is not there any more. Returns the runs that are still going on."""
        tasks = {run.id: task for run, task in left}
        keys = [(run.id, run.fence) for run, _ in left]
        runs = await self._database.write(lambda c: placements.adopt(c, keys, holder)) if keys else []
        for run in runs:
            self._begin(run, tasks[run.id])
        return runs

    def find_log(self, run_id: str) -> LogName | None:
        """The log of a run whose attempt is out."""
        out = self._out.get(run_id)
        return out.log if out else None

    def ask_stop(self, run_id: str, cause: StopCause) -> bool:
        out = self._out.get(run_id)
        if out:
            out.cause = stronger(out.cause, cause)
            out.changed.set()
        return out is not None

    def take_finished(self) -> list[Finished]:
        taken, self._finished = self._finished, []
        return taken

    def take_delivered(self) -> list[Delivered]:
        """Workers say it themselves."""
        return []

    def acknowledge(self, finished: Iterable[Finished]) -> None:
        run_ids = [item.run_id for item in finished]
        self._keep(self._write(lambda c: placements.clear(c, run_ids)))

    async def close(self, timeout_s: float) -> None:
        """Follow them no more. They go on, and whoever starts next takes them over."""
        await self.abandon()
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)

    async def abandon(self) -> None:
        """Another server goes on with what is out."""
        followers = [out.follower for out in self._out.values() if out.follower]
        for task in followers:
            task.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        for out in self._out.values():
            self._crew.take_back(out.labels)
        self._out.clear()

    async def look_out(self) -> None:
        """Keep an eye on the workers, for as long as it is not cancelled."""
        while True:
            with contextlib.suppress(Unavailable):
                await self.look_round()
            await asyncio.sleep(BEAT_S)

    async def look_round(self) -> None:
        """See who is there. Raises Unavailable."""
        if self._crew.see(await self._database.read(nodes.list_nodes)):
            self._bus.wake("dispatcher")

    def _begin(self, run: Run, task: Task) -> None:
        policy = task.spec.policy
        limit_s = None if policy.timeout_s is None else policy.timeout_s + policy.stop.grace_s
        errand = Errand(run.id, run.fence, tuple(sorted(set(task.spec.runs_on))), limit_s)
        out = self._out[run.id] = Out(errand, run, task, asyncio.Event())
        self._crew.hand_out(out.labels)
        out.follower = asyncio.create_task(self._follow(out), name=f"attempt {errand.id}")

    async def _follow(self, out: Out) -> None:
        try:
            end = await self._carry(out)
            finished = await self._account(out, end)
            if finished is not None:
                await self._fetch(out.log)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # nobody else would look after this run until the next start
            log.exception("an attempt could not be followed", run_id=out.run.id)
            finished = self._lost(out, f"{type(error).__name__}: {error}")
            end = "failed"
        del self._out[out.run.id]
        self._crew.take_back(out.labels)
        if finished is None:
            if end in ("full", "failed"):
                await asyncio.sleep(PAUSE_S)
            await _retrying(lambda: self._give_back([(out.run.id, out.run.fence)]))
            self._bus.wake("dispatcher")
        else:
            self._finished.append(finished)
            self._bus.wake("settler")

    async def _carry(self, out: Out) -> End:
        """Hand it out and wait for its end, however often the connection breaks meanwhile."""
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
                    if (await self._find(out)).worker is None:
                        return "canceled"  # closed before anybody could take it
                    await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _watch(self, out: Out, handle: "ActivityHandle[str]") -> End:
        over = asyncio.ensure_future(self._link.until_over(handle))
        try:
            while not over.done():
                asked = asyncio.ensure_future(out.changed.wait())
                await asyncio.wait([over, asked], return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
                if out.changed.is_set() and not over.done():
                    await self._link.cancel(handle, out.cause or "stop")
                    out.changed.clear()
            return over.result()
        finally:
            over.cancel()

    async def _open_queue(self, errand: Errand) -> None:
        labels = ",".join(errand.labels)
        if labels not in self._queues:
            await self._database.write(lambda c: placements.note_queue(c, labels))
            self._queues.add(labels)

    async def _account(self, out: Out, end: End) -> Finished | None:
        """What it came to; None if it is to be given back. From here on no worker takes it or says anything of it."""
        if end not in ("done", "silent", "unstarted", "canceled"):
            placement = await self._find(out)
            if placement.worker and not placement.finished:
                # Its worker has not lost its hold yet, and stops when it does: only then may another have the run.
                await asyncio.sleep(SILENCE.total_seconds())
        key = (out.run.id, out.run.fence)
        placement = await self._write(lambda c: placements.close(c, *key))
        if placement.finished:
            return msgspec.json.decode(placement.finished, type=Finished)
        if placement.worker is None:
            return self._stopped(out)
        return self._lost(out, f"the worker {placement.worker} died or was cut off while this was running")

    def _stopped(self, out: Out) -> Finished | None:
        if out.cause is None:
            return None
        state, reason = STOP_OUTCOMES[out.cause]
        return self._finish(out, Outcome(state=state, reason=reason))

    def _lost(self, out: Out, why: str) -> Finished:
        """Nobody works on it any more, and nobody knows how far it came."""
        state, reason = STOP_OUTCOMES[out.cause] if out.cause else ("crashed", "node_died")
        return self._finish(out, Outcome(state=state, reason=reason, error=why))

    def _finish(self, out: Out, outcome: Outcome) -> Finished:
        return Finished(run_id=out.run.id, fence=out.run.fence, outcome=outcome, ended_at=self._clock.now())

    async def _find(self, out: Out) -> Placement:
        key = (out.run.id, out.run.fence)
        return await self._write(lambda c: placements.find_placement(c, *key)) or Placement(None, None)

    async def _write(self, fn: Callable[[Connection], T]) -> T:
        return await _retrying(lambda: self._database.write(fn))

    def _keep(self, chore: Awaitable[None]) -> None:
        task = asyncio.ensure_future(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)


async def _retrying(ask: Callable[[], Awaitable[T]]) -> T:
    """Until the database is there."""
    pause_s = PAUSE_S
    while True:
        try:
            return await ask()
        except Unavailable:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

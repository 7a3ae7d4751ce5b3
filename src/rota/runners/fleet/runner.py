"""Hands attempts out to workers, and brings back what they came to."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from rota.bus import Bus
from rota.clock import Clock
from rota.core.errors import Unavailable
from rota.core.outcome import StopCause, stronger
from rota.core.run import Run
from rota.core.task import Task
from rota.logs import LogName
from rota.runners.base import Claim, Delivered, Finished
from rota.runners.fleet.crew import Crew, Labels
from rota.runners.fleet.errand import Errands, Out, persisting
from rota.runners.fleet.link import Errand, Link
from rota.store import nodes, placements
from rota.store.database import Database
from rota.vitals import Vitals

log = structlog.get_logger("rota.runner")

# Where work comes back without a reason, it is not sent out again at once.
PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
AGAIN_S = 2.0
# Nobody took it; it can be asked for again at once.
GiveBack = Callable[[Sequence[tuple[str, int]]], Awaitable[object]]
Fetch = Callable[[LogName], Awaitable[object]]
# The log of a run, with its task's name, can be gone on with elsewhere when this returns.
HandOn = Callable[[Run, str], Awaitable[None]]


class TemporalRunner:
    """Holds nothing that is not in the store or in Temporal: whoever comes after it goes on with what is out.

    give_back  lets claims wait again that nobody has taken
    fetch      brings the log of a run here, before it is told that its attempt is over
    """

    waiting = 0

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
        self._errands = Errands(link, database, clock, vitals)
        self._beat_s = link.silence.beat_s
        self._crew = crew
        self._database = database
        self._bus = bus
        self._give_back = give_back
        self._fetch = fetch
        self._out: dict[str, Out] = {}
        self._finished: list[Finished] = []
        self._settled: list[str] = []
        self._pauses: dict[Labels, float] = {}
        self._look = asyncio.Event()
        self.hand_on: HandOn | None = None

    @property
    def capacity(self) -> int:
        return self._crew.capacity

    @property
    def busy(self) -> int:
        return len(self._out)

    @property
    def taken(self) -> int:
        """Of an attempt that is over, though that was not settled yet, the place is free."""
        return sum(not out.is_over and out.run.instance is None for out in self._out.values())

    def find_obstacles(self, tasks: Sequence[Task]) -> list[str | None]:
        return self._crew.find_obstacles([frozenset(task.spec.runs_on) for task in tasks])

    def start(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._begin(claim.run, claim.task)

    async def adopt(self, left: Sequence[tuple[Run, Task]], holder: str) -> list[Run]:
        """Go on with attempts that other servers have handed out. Returns the runs that are still going on."""
        tasks = {run.id: task for run, task in left}
        keys = [(run.id, run.fence) for run, _ in left]
        runs = await self._database.write(lambda c: placements.adopt(c, keys, holder)) if keys else []
        for run in runs:
            if not self.is_following(run):
                self._begin(run, tasks[run.id])
        if runs:
            await self._learn()
        return runs

    def is_following(self, run: Run) -> bool:
        out = self._out.get(run.id)
        return out is not None and out.run.fence == run.fence

    def ask_stop(self, run_id: str, cause: StopCause) -> bool:
        out = self._out.get(run_id)
        if out:
            out.cause = stronger(out.cause, cause)
            out.changed.set()
        return out is not None

    def hear_over(self, run_id: str, fence: int) -> None:
        """Its worker has written down what this attempt came to."""
        out = self._out.get(run_id)
        if out is not None and out.run.fence == fence:
            out.told.set()
            self._free(out)

    def take_finished(self) -> list[Finished]:
        taken, self._finished = self._finished, []
        return taken

    def take_delivered(self) -> list[Delivered]:
        """Workers say it themselves."""
        return []

    def acknowledge(self, finished: Iterable[Finished]) -> None:
        """What it came to is forgotten in the store at the next look round: nobody asks for it any more."""
        self._settled += [item.run_id for item in finished]

    async def close(self, timeout_s: float) -> None:
        """Follow them no more. They go on, and whoever starts next takes them over."""
        await self.abandon()

    async def abandon(self) -> None:
        """Another server goes on with what is out."""
        left, self._out = self._out, {}
        for run_id in left:
            self._crew.take_back(run_id)
        followers = [out.follower for out in left.values() if out.follower]
        for task in followers:
            task.cancel()
        await asyncio.gather(*followers, return_exceptions=True)

    def look_soon(self) -> None:
        """Something has changed among the workers."""
        self._look.set()

    async def look_out(self) -> None:
        """Keep an eye on the workers, for as long as it is not cancelled."""
        while True:
            with contextlib.suppress(Unavailable):
                await self.look_round()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._beat_s):
                    await self._look.wait()
            self._look.clear()

    async def look_round(self) -> None:
        """See who is there, and who has what. Raises Unavailable."""
        if self._crew.see(await self._database.read(nodes.list_nodes)):
            self._bus.wake("dispatcher")
        await self._learn()
        if self._settled:
            settled, self._settled = self._settled, []
            await self._database.write(lambda c: placements.clear(c, settled))

    async def _learn(self) -> None:
        unknown = self._crew.unknown
        if unknown:
            self._crew.learn(await self._database.read(lambda c: placements.list_workers(c, unknown)))

    def _begin(self, run: Run, task: Task) -> None:
        policy = task.spec.policy
        limit_s = None if policy.timeout_s is None else policy.timeout_s + policy.stop.grace_s
        errand = Errand(run.id, run.fence, tuple(sorted(set(task.spec.runs_on))), limit_s)
        out = self._out[run.id] = Out(errand, run, task, asyncio.Event(), asyncio.Event())
        self._crew.hand_out(run.id, out.labels)
        out.follower = asyncio.create_task(self._follow(out), name=f"attempt {errand.id}")

    async def _follow(self, out: Out) -> None:
        while True:
            try:
                finished = await self._see_through(out)
                break
            except Exception:  # nobody else looks after this run: it is not given up, and nothing untrue is said of it
                log.exception("an attempt could not be followed", run_id=out.run.id)
                await asyncio.sleep(AGAIN_S)
        if self._out.get(out.run.id) is out:
            del self._out[out.run.id]
            self._crew.take_back(out.run.id)
        if finished is not None:
            self._pauses.pop(out.labels, None)
            self._finished.append(finished)
            self._bus.wake("settler")
            return
        await persisting(lambda: self._give_back([out.key]))
        self._bus.wake("dispatcher")

    async def _see_through(self, out: Out) -> Finished | None:
        if self.hand_on is not None:
            await self.hand_on(out.run, out.task.name)
        end = await self._errands.carry(out)
        if end.how == "done":
            self._free(out)
        finished = await self._errands.account(out, end)
        if finished is not None:
            await self._bring(out)
        elif end.how == "full":
            await self._hear_full(end.worker)
        elif end.how in ("failed", "refused", "forgotten"):
            await self._pause(out.labels)
        return finished

    def _free(self, out: Out) -> None:
        """Others may have its place at once; what it came to, and its log, are seen to beside that."""
        if not out.is_over:
            out.is_over = True
            self._crew.take_back(out.run.id)
            self._bus.wake("dispatcher")

    async def _bring(self, out: Out) -> None:
        """Its log, whole, before it is said that it is over."""
        try:
            await persisting(lambda: self._fetch(out.log))
        except OSError as error:  # it stays where it is, and is asked for again by who reads it
            log.warning("the log of a run could not be brought here", run_id=out.run.id, why=str(error))

    async def _hear_full(self, worker: str | None) -> None:
        if worker is not None:
            self._crew.hear_full(worker)
        await persisting(self._learn)

    async def _pause(self, labels: Labels) -> None:
        pause_s = self._pauses[labels] = min(2 * self._pauses.get(labels, PAUSE_S / 2), LONGEST_PAUSE_S)
        await asyncio.sleep(pause_s)

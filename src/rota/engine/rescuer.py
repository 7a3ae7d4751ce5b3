"""Repairs after a crash: ends what a dead server left running, and gives back what it never started."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

import structlog

from rota.bus import LoopName
from rota.core.outcome import STOP_OUTCOMES, Outcome, OutcomeState, StopCause
from rota.core.run import Run
from rota.core.states import Reason
from rota.engine.context import Engine
from rota.engine.giveback import give_back
from rota.engine.loop import Tick
from rota.engine.settler import Settler
from rota.runners.base import Finished, Runner
from rota.runners.ledger import Key, LedgerEntry, ProcessLedger
from rota.runners.survivors import end_survivors
from rota.store import nodes, settlement
from rota.store.database import Connection

log = structlog.get_logger()

CRASHED: tuple[OutcomeState, Reason] = ("crashed", "node_died")
EndSurvivors = Callable[[Iterable[LedgerEntry]], Awaitable[int]]


class Rescuer:
    """Runs that nobody alive holds: what may have started has crashed, what surely never started goes back to the queue.

    Processes are ended first, so that no run ever has two. One pass at the start is enough for a server that has its store
    to itself: nobody else can leave runs behind.

    former  the ids of this server's earlier lives, where it has not: what others have left is not for this journal to judge
    runner  goes on with what others carry out; None where nobody does
    """

    name: LoopName = "rescuer"

    def __init__(
        self,
        engine: Engine,
        ledger: ProcessLedger,
        settler: Settler,
        end_survivors: EndSurvivors = end_survivors,
        former: Sequence[str] | None = None,
        runner: Runner | None = None,
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self._settler = settler
        self._end_survivors = end_survivors
        self._former = former
        self._runner = runner

    async def tick(self) -> Tick:
        entries = self._ledger.open_entries()
        ended = await self._end_survivors(entries)
        known = {(entry.run_id, entry.fence) for entry in entries}
        orphans = await self._engine.database.read(lambda c: self._find_orphans(c, known))
        orphans = await self._adopt(orphans, known)
        started = [run for run in orphans if (run.id, run.fence) in known or not self._ledger.is_complete]
        unstarted = [run for run in orphans if run not in started]
        await self._release(unstarted)
        if started:
            stops = await self._engine.database.read(lambda c: settlement.list_stop_causes(c, [run.id for run in started]))
            await self._settler.settle([self._account(run, stops.get(run.id)) for run in started])
        self._ledger.ended(known)
        self._ledger.vouch()
        if orphans or ended:
            log.warning("repaired after an unclean end", crashed=len(started), requeued=len(unstarted), processes=ended)
        self._engine.bus.wake("dispatcher")
        return Tick({"processes": ended, "crashed": len(started), "requeued": len(unstarted)})

    def _find_orphans(self, c: Connection, known: Collection[Key]) -> list[Run]:
        if self._former is None:
            return settlement.list_orphans(c, except_holder=self._engine.node)
        return settlement.list_orphans(c, self._former) + [run for run in nodes.list_left_runs(c) if (run.id, run.fence) in known]

    async def _adopt(self, orphans: list[Run], known: Collection[Key]) -> list[Run]:
        """Go on with what others carry out for this installation. Answers the rest."""
        away = [run for run in orphans if (run.id, run.fence) not in known]
        if not away or self._runner is None:
            return orphans
        tasks = await self._engine.database.read(lambda c: self._engine.known.get(c, {run.task_id for run in away}))
        adopted = {run.id for run in await self._runner.adopt([(run, tasks[run.task_id]) for run in away], self._engine.node)}
        return [run for run in orphans if run.id not in adopted]

    async def _release(self, unstarted: list[Run]) -> None:
        engine, now = self._engine, self._engine.clock.now()
        claims = [(run.id, run.fence) for run in unstarted]
        if claims:
            engine.announce(await engine.database.write(lambda c: give_back(c, engine, claims, now)))

    def _account(self, run: Run, stop: StopCause | None) -> Finished:
        """What the attempt came to, if it was over and only the store did not learn of it.

        Else it was asked to stop, which ending its processes has done now; or it has crashed.
        """
        state, reason = STOP_OUTCOMES[stop] if stop else CRASHED
        outcome = Outcome(state=state, reason=reason, error="the server died while this was running")
        lost = Finished(run_id=run.id, fence=run.fence, outcome=outcome, ended_at=self._engine.clock.now())
        return self._ledger.find_account(run.id, run.fence) or lost

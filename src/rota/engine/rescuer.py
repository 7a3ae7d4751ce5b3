"""Repairs after a crash: ends what a dead server left running, and gives back what it never started."""

import structlog

from rota.core.outcome import Outcome
from rota.core.run import Run
from rota.engine.context import Engine
from rota.engine.loop import Tick
from rota.engine.settler import Settler
from rota.runners.base import Finished
from rota.runners.ledger import ProcessLedger
from rota.runners.survivors import end_survivors
from rota.store import admission, settlement
from rota.store.database import Connection

log = structlog.get_logger()


class Rescuer:
    """Runs that nobody alive holds: what may have started has crashed, what surely never started goes back to the queue.

    Processes are ended first, so that no run ever has two. One pass at the start is enough for a server that has its store
    to itself: nobody else can leave runs behind.
    """

    name = "rescuer"

    def __init__(self, engine: Engine, ledger: ProcessLedger, settler: Settler) -> None:
        self._engine = engine
        self._ledger = ledger
        self._settler = settler

    async def tick(self) -> Tick:
        entries = self._ledger.open_entries()
        ended = await end_survivors(entries)
        known = {(entry.run_id, entry.fence) for entry in entries}
        orphans = await self._engine.database.read(lambda c: settlement.list_orphans(c, self._engine.node))
        started = [run for run in orphans if (run.id, run.fence) in known or not self._ledger.is_complete]
        unstarted = [run for run in orphans if run not in started]
        await self._release(unstarted)
        if started:
            await self._settler.settle([self._lost(run) for run in started])
        self._ledger.ended(known)
        if orphans or ended:
            log.warning("repaired after an unclean end", crashed=len(started), requeued=len(unstarted), processes=ended)
        self._engine.bus.wake("dispatcher")
        return Tick({"processes": ended, "crashed": len(started), "requeued": len(unstarted)})

    async def _release(self, unstarted: list[Run]) -> None:
        now = self._engine.clock.now()

        def write(c: Connection) -> None:
            admission.release(c, [(run.id, run.fence) for run in unstarted], now, now)

        if unstarted:
            await self._engine.database.write(write)

    def _lost(self, run: Run) -> Finished:
        outcome = Outcome(state="crashed", reason="node_died", error="the server died while this was running")
        return Finished(run_id=run.id, fence=run.fence, outcome=outcome, ended_at=self._engine.clock.now())

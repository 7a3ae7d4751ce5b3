"""Ends the runs of workers from outside that are not heard from any more."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from rota.bus import LoopName
from rota.core.lease import Lease, is_outside, outcome_of
from rota.core.run import Run
from rota.engine.context import Engine
from rota.engine.loop import Tick
from rota.engine.settler import Settler
from rota.runners.base import Finished
from rota.store import leases, runs, settlement
from rota.store.database import Connection

log = structlog.get_logger()

BATCH = 500


class Expirer:
    """Each pass settles the runs whose leases are over, in the transaction that finds them so: a sign of life comes before
    that or too late."""

    name: LoopName = "expirer"

    def __init__(self, engine: Engine, settler: Settler) -> None:
        self._engine = engine
        self._settler = settler

    async def tick(self) -> Tick:
        next_at = await self._engine.database.read(leases.next_end)
        self._engine.has_leases = next_at is not None
        if next_at is None or next_at > self._engine.clock.now():
            return Tick(next_at=next_at)
        done = await self._settler.settle_found(self._find_lost)
        for run in done.ended:
            log.warning("a worker's run ended without it", run_id=run.id, state=run.state, why=run.error)
        return Tick({"ended": len(done.ended), "retrying": len(done.retrying)}, again=True)

    def _find_lost(self, c: Connection, now: datetime) -> Sequence[Finished]:
        self._engine.check_lead(c)
        due = leases.list_due(c, now, BATCH)
        leases.delete_leases(c, [lease.run_id for lease in due])
        held = {run.id: run for run in runs.get_runs(c, [lease.run_id for lease in due]) if is_outside(run.holder)}
        lost = [(lease, held[lease.run_id]) for lease in due if lease.run_id in held]
        return [self._account(c, lease, run, now) for lease, run in lost if run.fence == lease.fence]

    def _account(self, c: Connection, lease: Lease, run: Run, now: datetime) -> Finished:
        task = self._engine.known.get(c, [run.task_id])[run.task_id]
        stop = settlement.list_stop_causes(c, [run.id]).get(run.id)
        outcome = outcome_of(lease, run, now, timeout_s=task.spec.policy.timeout_s, stop=stop)
        return Finished(run_id=run.id, fence=run.fence, outcome=outcome, ended_at=now)

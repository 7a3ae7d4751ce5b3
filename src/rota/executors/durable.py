"""What attempts share that go on behind their finished steps: checkpoints under the run's fence."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from rota.core.errors import StaleFence
from rota.core.outcome import Outcome
from rota.core.pipeline.account import Checkpoint
from rota.executors.base import Context
from rota.executors.stopping import StoppableAttempt
from rota.store import steps
from rota.store.database import Connection, Database


class DurableAttempt(StoppableAttempt):
    """`done` are the steps that its run has finished, in this attempt or before."""

    def __init__(self, context: Context, database: Database, done: list[Checkpoint]) -> None:
        super().__init__(context)
        self.done = done
        self._database = database

    async def keep(self, step: Checkpoint, *, also: Callable[[Connection, datetime], object] | None = None) -> None:
        """Write a finished step down; `also` in its transaction. Raises StaleFence."""
        run = self._context.run

        def write(c: Connection) -> bool:
            won = steps.insert_step(c, run.id, run.fence, step)
            if won and also:
                also(c, step.ended_at)
            return won

        if not await self._database.write(write):
            raise StaleFence("this run is somebody else's by now")
        self.done.append(step)

    def stopped(self, where: str, output: Any = None) -> Outcome:
        """A stop of the server is no end for durable work: it goes on at the next start, as after a crash."""
        outcome = super().stopped(where, output)
        if self._context.stop.cause == "shutdown" and self._context.task.spec.policy.resume_after_crash is not False:
            return Outcome(state="crashed", reason="shutdown", error="the server stopped while this was running")
        return outcome

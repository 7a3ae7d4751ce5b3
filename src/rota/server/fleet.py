"""The parts of a server whose attempts are carried out by workers elsewhere."""

import asyncio
import contextlib
from collections.abc import Sequence

from rota.config import Settings
from rota.core.errors import Unavailable
from rota.core.run import Run
from rota.engine.context import Engine
from rota.engine.giveback import give_back
from rota.logs import LogName
from rota.ops.context import Rota
from rota.runners.fleet.crew import Crew
from rota.runners.fleet.link import Link, load_temporal
from rota.runners.fleet.runner import TemporalRunner
from rota.store import placements, runs
from rota.store.database import Connection


class Fleet:
    """`start` before anything is handed out, `close` when nothing is any more. Raises Invalid where the package is missing."""

    def __init__(self, settings: Settings, rota: Rota, engine: Engine) -> None:
        load_temporal()
        self._rota = rota
        self._engine = engine
        self.runner = TemporalRunner(
            Link(settings), Crew(), rota.database, rota.clock, rota.bus, rota.vitals, self._give_back, self._bring_log
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._resting: asyncio.Task[None] | None = None
        # Whether all that is out is known here, so that more can be handed out.
        self.is_ready = False

    async def start(self) -> None:
        with contextlib.suppress(Unavailable):
            await self.runner.look_round()
        self._tasks = [asyncio.create_task(self.runner.look_out())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def list_left(self, c: Connection) -> list[Run]:
        """What is out, and followed by another server or by none."""
        return [run for run in placements.list_out(c) if run.holder != self._engine.node or not self.runner.is_following(run)]

    async def take_up(self) -> None:
        """This server hands out from now on. Raises Unavailable."""
        engine = self._engine
        left = await engine.database.read(self.list_left)
        tasks = await engine.database.read(lambda c: engine.known.get(c, {run.task_id for run in left}))
        await self.runner.adopt([(run, tasks[run.task_id]) for run in left], engine.node)
        self.is_ready = True

    def rest(self) -> None:
        """Another server hands out, and goes on with what we have."""
        self.is_ready = False
        if self.runner.busy and (self._resting is None or self._resting.done()):
            self._resting = asyncio.create_task(self.runner.abandon())

    async def _bring_log(self, name: LogName) -> None:
        """Have it here as far as its worker has told it. Raises Unavailable."""
        run = await self._rota.database.read(lambda c: runs.find_run(c, name.run_id))
        if run is not None:
            await self._rota.bring_logs([(run, name.task_name)])

    async def _give_back(self, claims: Sequence[tuple[str, int]]) -> None:
        engine, now = self._engine, self._engine.clock.now()
        engine.announce(await engine.database.write(lambda c: give_back(c, engine, claims, now, "ready")))

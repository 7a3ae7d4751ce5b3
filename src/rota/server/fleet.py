"""The parts of a server whose attempts are carried out by workers elsewhere."""

import asyncio
import contextlib
from collections.abc import Sequence

from rota.config import Settings
from rota.core.errors import Unavailable
from rota.engine.context import Engine
from rota.engine.giveback import give_back
from rota.ops.context import Rota
from rota.runners import LogGrowth
from rota.runners.fleet.crew import Crew
from rota.runners.fleet.link import Link, load_temporal
from rota.runners.fleet.mirror import Mirror
from rota.runners.fleet.runner import TemporalRunner

# The logs that somebody follows are fetched this often.
FETCH_S = 0.25


class Fleet:
    """`start` before anything is handed out, `close` when nothing is any more. Raises Invalid where the package is missing."""

    def __init__(self, settings: Settings, rota: Rota, engine: Engine, growth: LogGrowth) -> None:
        load_temporal()
        self._engine = engine
        self._growth = growth
        self._mirror = Mirror(rota.database, rota.logs)
        self.runner = TemporalRunner(
            Link(settings), Crew(), rota.database, rota.clock, rota.bus, rota.vitals, self._give_back, self._mirror.bring
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        with contextlib.suppress(Unavailable):
            await self.runner.look_round()
        self._tasks = [asyncio.create_task(work) for work in (self.runner.look_out(), self._fetch_followed())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def fetch(self, run_id: str) -> bool:
        """Have the log of a run here as far as its worker has told it. True if that was news."""
        found = self.runner.find_out(run_id)
        try:
            return found is not None and await self._mirror.bring(*found)
        except Unavailable:  # what there is can be read all the same
            return False

    async def _fetch_followed(self) -> None:
        while True:
            await asyncio.sleep(FETCH_S)
            for run_id in self._growth.followed:
                if await self.fetch(run_id):
                    self._growth.notify(run_id)

    async def _give_back(self, claims: Sequence[tuple[str, int]]) -> None:
        engine, now = self._engine, self._engine.clock.now()
        engine.announce(await engine.database.write(lambda c: give_back(c, engine, claims, now)))

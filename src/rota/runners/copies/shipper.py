"""Sends what a worker's attempt writes into its log to the database, for whoever wants to read it."""

import asyncio
from contextlib import suppress
from functools import partial

from rota.core.errors import StaleFence
from rota.logs.name import LogPaths
from rota.runners.copies.spool import Spool
from rota.runners.copies.unfinished import find_unfinished
from rota.runners.growth import LogGrowth
from rota.runners.persisting import persisting
from rota.store import placements, sharedlogs
from rota.store.connection import Connection
from rota.store.database import Database
from rota.store.sharedlogs import SharedLog, Told

# What was written meanwhile goes along.
EVERY_S = 0.1
# Of a writer that tells nobody that it has ended.
LOOK_AGAIN_S = 1.0
MOST_BYTES = 2 * 1024 * 1024


class Shipper:
    """Of one attempt, which `worker` has with that fence. Goes on where the log of the run has come to, as `shared` says."""

    def __init__(
        self,
        database: Database,
        paths: LogPaths,
        run_id: str,
        fence: int,
        worker: str,
        shared: SharedLog | None,
        growth: LogGrowth,
    ) -> None:
        self._database = database
        self._run_id = run_id
        self._fence = fence
        self._worker = worker
        self._growth = growth
        self._spool = Spool(run_id, paths, shared, partial(find_unfinished, growth, run_id))
        self._busy = asyncio.Lock()

    async def keep_shipping(self) -> None:
        """Until cancelled, or until the worker has lost the attempt: then StaleFence is raised."""
        with self._growth.following(self._run_id) as grown:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_S):
                        await grown.wait()
                    await asyncio.sleep(EVERY_S)
                await self.ship()

    async def ship(self, *, is_over: bool = False) -> None:
        """Everything there is, however long the database takes to come back. `is_over`: nothing follows. Raises StaleFence."""
        async with self._busy:
            self._spool.is_over = is_over
            while (told := self._spool.take(MOST_BYTES)) is not None:
                await self._send(told)

    def close(self) -> None:
        self._spool.close()

    async def _send(self, told: Told) -> None:
        if not await persisting(lambda: self._database.write(lambda c: self._write(c, told))):
            raise StaleFence(f"run {self._run_id} has gone to another worker")

    def _write(self, c: Connection, told: Told) -> bool:
        is_held = placements.is_held(c, self._run_id, self._fence, self._worker)
        return is_held and bool(sharedlogs.tell(c, self._worker, [told]))

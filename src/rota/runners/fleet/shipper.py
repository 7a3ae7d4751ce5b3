"""Sends what a run writes into its log to the database, for whoever wants to read it."""

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice

from rota.core.errors import StaleFence, Unavailable
from rota.logs.changes import Change, LogChanges
from rota.logs.name import LogPaths
from rota.runners.growth import LogGrowth
from rota.store import logchunks, placements
from rota.store.connection import Connection
from rota.store.database import Database
from rota.store.logchunks import Chunk

# What was written meanwhile goes along.
EVERY_S = 0.1
# A redrawn line is in the log, and no growth of it, when it stays.
LOOK_AGAIN_S = 1.0
MOST_AT_ONCE = 8
PAUSE_S = 0.5


class Shipper:
    """Of one attempt, which `worker` has with that fence. Goes on where the log of the run ended so far."""

    def __init__(self, database: Database, paths: LogPaths, run_id: str, fence: int, worker: str, last: tuple[int, int]) -> None:
        self._database = database
        self._run_id = run_id
        self._fence = fence
        self._worker = worker
        self._seq, segment = last
        self._changes = LogChanges(paths, max(0, segment - 1))
        if segment:
            deque(self._changes.take(), maxlen=0)  # brought here from there
        self._dropped = segment
        self._busy = asyncio.Lock()

    async def keep_shipping(self, growth: LogGrowth) -> None:
        """Until cancelled, or until the worker has lost the attempt: then StaleFence is raised."""
        with growth.following(self._run_id) as grown:
            while True:
                try:
                    async with asyncio.timeout(LOOK_AGAIN_S):
                        await grown.wait()
                    await asyncio.sleep(EVERY_S)
                except TimeoutError:
                    pass
                await self.ship()

    async def ship(self) -> None:
        """Everything there is, however long the database takes to come back. Raises StaleFence."""
        async with self._busy:
            changes = self._changes.take()
            while some := list(islice(changes, MOST_AT_ONCE)):
                await self._send([self._chunk(change) for change in some])

    def close(self) -> None:
        self._changes.close()

    def _chunk(self, change: Change) -> Chunk:
        self._seq += 1
        return Chunk(self._seq, change.segment, change.part, change.at, change.data)

    async def _send(self, chunks: Sequence[Chunk]) -> None:
        while True:
            try:
                is_held = await self._database.write(lambda c: self._write(c, chunks))
            except Unavailable:
                await asyncio.sleep(PAUSE_S)
                continue
            if not is_held:
                raise StaleFence(f"run {self._run_id} has gone to another worker")
            self._dropped = max(self._dropped, chunks[-1].segment)
            return

    def _write(self, c: Connection, chunks: Sequence[Chunk]) -> bool:
        if not placements.is_held(c, self._run_id, self._fence, self._worker):
            return False
        logchunks.insert_chunks(c, self._run_id, chunks)
        if chunks[-1].segment > self._dropped:
            logchunks.delete_segments(c, self._run_id, before=chunks[-1].segment - 1)
        return True

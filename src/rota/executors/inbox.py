"""Brings what is told on other machines to the commands that work here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from rota.core.errors import Unavailable
from rota.store import runmessages
from rota.store.database import Database

# A call from another machine may get lost.
LOOK_AGAIN_S = 5.0


class Inbox:
    """Where nobody shares the database, nothing comes through it, and nothing is looked for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._calls: dict[str, asyncio.Event] = {}

    def hear(self, run_id: str) -> None:
        """There is something for a run, which may be anywhere."""
        call = self._calls.get(run_id)
        if call:
            call.set()

    @contextlib.asynccontextmanager
    async def open(self, run_id: str, deliver: Callable[[bytes], object]) -> AsyncIterator[None]:
        """Each line that is told from now on is given to `deliver`, in order."""
        if self._database.dialect == "sqlite":
            yield
            return
        last = await self._database.read(lambda c: runmessages.find_last(c, run_id))
        call = self._calls[run_id] = asyncio.Event()
        reading = asyncio.create_task(self._read(run_id, call, last, deliver))
        try:
            yield
        finally:
            del self._calls[run_id]
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, run_id: str, call: asyncio.Event, last: int, deliver: Callable[[bytes], object]) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await call.wait()
            call.clear()
            with contextlib.suppress(Unavailable):
                for seq, line in await self._database.read(lambda c: runmessages.list_messages(c, run_id, last)):  # noqa: B023
                    deliver(line.encode())
                    last = seq

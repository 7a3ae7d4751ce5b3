"""Adds lines to logs that no process writes, at whichever server they come in."""

import asyncio
from collections import OrderedDict
from functools import partial

from rota.core.errors import Conflict, Unavailable
from rota.core.lease import is_outside
from rota.core.policy import LogLimit
from rota.core.run import Run
from rota.logs import LogName, RunLogs, Stream
from rota.runners.copies.handover import Handover
from rota.runners.copies.known import Here
from rota.runners.copies.mirror import Mirror
from rota.runners.copies.spool import Spool
from rota.store import sharedlogs
from rota.store.database import Database
from rota.store.sharedlogs import SharedLog

MOST_BYTES = 2 * 1024 * 1024
# Of two servers that add to one log at one time, one begins again.
TRIES = 8
MOST_BUSY = 1000


class Appender:
    """What was added is told to all before `append` returns: the next line may come in elsewhere."""

    def __init__(self, database: Database, logs: RunLogs, mirror: Mirror, handover: Handover, here: Here) -> None:
        self._database = database
        self._logs = logs
        self._mirror = mirror
        self._handover = handover
        self._here = here
        self._busy: OrderedDict[str, asyncio.Lock] = OrderedDict()

    async def append(self, run: Run, task_name: str, limit: LogLimit, stream: Stream, lines: bytes, at_ms: int) -> None:
        """As `RunLogs.append`. Raises Conflict for the log of a run that is carried out on another machine, and Unavailable."""
        name = LogName(task_name, run.created_at, run.id)
        if self._logs.is_written(name):
            self._logs.append(name, limit, stream, lines, at_ms, is_over=False)
            return
        async with self._lock(run.id):
            for _ in range(TRIES):
                shared = await self._take(run, name)
                self._logs.append(name, limit, stream, lines, at_ms, is_over=run.ended_at is not None)
                if shared is None and not self._here.has_others():
                    return
                if await self._tell_all(name, shared):
                    return
        raise Unavailable("others write into this log at this moment", hint="try again")

    async def _take(self, run: Run, name: LogName) -> SharedLog | None:
        """All that was written is here, and more can be. None if nothing was told of it."""
        while True:
            shared = await self._find(name)
            if shared is None and not self._logs.is_here(name) and self._here.has_others():
                shared = await self._handover.ask_for(name)
            if shared is None or shared.writer == self._here.place:
                return shared
            if not shared.is_whole and run.state == "running" and not is_outside(run.holder):
                raise Conflict("another machine carries this run out, and writes its log")
            await self._mirror.bring(name, shared, is_final=True)
            taken = await self._database.write(partial(sharedlogs.take, known=shared, writer=self._here.place))
            if taken is not None:
                self._mirror.drop(name)
                return taken

    async def _tell_all(self, name: LogName, shared: SharedLog | None) -> bool:
        """False if another server has taken the log meanwhile: what was added here counts for nothing then."""
        for _ in range(TRIES):
            if await self._tell(name, shared):
                return True
            shared = await self._find(name)
            if shared is not None and shared.writer != self._here.place:
                self._logs.delete(name)
                return False
        return True

    async def _tell(self, name: LogName, shared: SharedLog | None) -> bool:
        """False if the log is not any more as it was known."""
        spool = Spool(name.run_id, self._logs.paths(name), shared)
        spool.is_over = True
        try:
            while (told := spool.take(MOST_BYTES)) is not None:
                if not await self._database.write(partial(sharedlogs.tell, writer=self._here.place, told=[told])):
                    return False
        finally:
            spool.close()
        return True

    async def _find(self, name: LogName) -> SharedLog | None:
        found = await self._database.read(lambda c: sharedlogs.find_shared_logs(c, [name.run_id]))
        return found.get(name.run_id)

    def _lock(self, run_id: str) -> asyncio.Lock:
        lock = self._busy.setdefault(run_id, asyncio.Lock())
        self._busy.move_to_end(run_id)
        if len(self._busy) > MOST_BUSY and not next(iter(self._busy.values())).locked():
            self._busy.popitem(last=False)
        return lock

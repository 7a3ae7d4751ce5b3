"""Tells other servers what is written into the logs of the runs that are carried out here."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

import structlog
from msgspec import Struct

from rota.core.errors import Unavailable
from rota.logs import LogName, RunLogs
from rota.runners.copies.spool import Spool
from rota.runners.copies.unfinished import find_unfinished
from rota.runners.growth import LogGrowth
from rota.store import sharedlogs
from rota.store.database import Database
from rota.store.sharedlogs import SharedLog, Told

log = structlog.get_logger("rota.runner")

# What was written meanwhile goes along.
EVERY_S = 0.1
# In one transaction, which others wait for.
MOST_BYTES = 512 * 1024
PAUSE_S = 0.5
# By whoever tells of the same log in our name.
MOST_REFUSALS = 5


class Going(Struct):
    """A log that is written here, or was and is not told to its end.

    anyway     somebody asks, and be it for nothing
    is_unsure  what was told of it is to be looked up
    refused    so often in a row
    is_unreadable  and that was said
    """

    name: LogName
    shared: SharedLog | None = None
    spool: Spool | None = None
    is_over: bool = False
    anyway: bool = False
    is_unsure: bool = False
    refused: int = 0
    is_unreadable: bool = False


class Teller:
    """Never holds a run up: it reads files behind their writers, and many logs go into one transaction.

    writer      as whom it tells
    has_others  whether there is anybody who could want to know
    """

    def __init__(self, database: Database, logs: RunLogs, growth: LogGrowth, writer: str, has_others: Callable[[], bool]) -> None:
        self.writer = writer
        self._database = database
        self._logs = logs
        self._growth = growth
        self._has_others = has_others
        self._going: dict[str, Going] = {}
        self._dirty: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._busy = asyncio.Lock()

    def begin(self, name: LogName, shared: SharedLog | None) -> None:
        """It is written here from now on. `shared`: what was told of it before."""
        self._going[name.run_id] = Going(name, shared)

    def has(self, run_id: str) -> bool:
        """Whether there may be something to tell of it."""
        return run_id in self._going

    def grown(self, run_id: str) -> None:
        if run_id in self._going and self._has_others():
            self._look_at(run_id)

    def end(self, run_id: str) -> None:
        """Nothing is written any more."""
        going = self._going.get(run_id)
        if going is None:
            return
        going.is_over = True
        if self._has_others() or going.shared is not None or going.spool is not None:
            self._look_at(run_id)
        else:
            del self._going[run_id]

    def ask(self, name: LogName, shared: SharedLog | None) -> None:
        """Tell all there is of a log of ours, which may have been over for long."""
        going = self._going.setdefault(name.run_id, Going(name, shared, is_over=True))
        going.anyway = True
        self._look_at(name.run_id)

    async def keep_telling(self) -> None:
        """Until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(EVERY_S)
            self._wake.clear()
            try:
                await self.tell_all()
            except Exception:  # nobody else would tell of any run
                log.exception("logs could not be told to other servers")
                await asyncio.sleep(PAUSE_S)
                self._wake.set()

    async def tell_all(self) -> None:
        """All that was written until now, and can be read. Raises Unavailable."""
        async with self._busy:
            dirty, self._dirty = list(self._dirty), {}
            while dirty:
                try:
                    await self._look_up(dirty)
                    dirty = await self._tell(dirty)
                except BaseException:
                    self._doubt(dirty)
                    raise

    def _look_at(self, run_id: str) -> None:
        self._dirty[run_id] = None
        self._wake.set()

    async def _look_up(self, run_ids: Iterable[str]) -> None:
        unsure = [run_id for run_id in run_ids if run_id in self._going and self._going[run_id].is_unsure]
        known = await self._database.read(lambda c: sharedlogs.find_shared_logs(c, unsure)) if unsure else {}
        for run_id in unsure:
            going, shared = self._going[run_id], known.get(run_id)
            going.shared, going.is_unsure = shared, False
            if going.refused and (shared is None or shared.writer != self.writer or going.refused > MOST_REFUSALS):
                self._forget(run_id)  # gone, or another writes it now

    def _doubt(self, run_ids: Iterable[str]) -> None:
        """Some of these were told, or not."""
        for run_id in run_ids:
            going = self._going.get(run_id)
            if going is not None:
                if going.spool is not None:
                    going.spool.close()
                going.spool, going.is_unsure = None, True
                self._look_at(run_id)

    async def _tell(self, run_ids: list[str]) -> list[str]:
        """As much as goes into one transaction. Returns those of which there was more."""
        told: list[Told] = []
        more: list[str] = []
        room = MOST_BYTES
        for run_id in run_ids:
            going = self._going.get(run_id)
            if going is None:
                continue
            if room <= 0:
                more.append(run_id)
                continue
            portion = self._take(going, room)
            if portion is not None:
                told.append(portion)
                room -= sum(len(chunk.data) for chunk in portion.chunks)
            if going.spool is not None and going.spool.has_more:
                more.append(run_id)
        taken = await self._write(told) if told else set()
        for run_id in taken:
            self._going[run_id].refused = 0
        refused = {each.run_id for each in told} - taken
        for run_id in refused:
            self._going[run_id].refused += 1
        self._doubt(refused)
        for run_id in run_ids:
            if run_id not in self._dirty and run_id not in more:
                self._let_go(run_id)
        return more

    def _take(self, going: Going, room: int) -> Told | None:
        """What is new of it. None also where it cannot be read at this moment, which is no matter of the others."""
        try:
            spool = going.spool = going.spool or self._open(going)
            spool.is_over = going.is_over
            portion = spool.take(room, anyway=going.anyway)
        except OSError as error:
            if not going.is_unreadable:
                log.error("a log cannot be read, and so is not told to other servers", run_id=going.name.run_id, why=str(error))
            going.is_unreadable = True
            self._doubt([going.name.run_id])
            return None
        going.anyway = going.is_unreadable = False
        return portion

    def _open(self, going: Going) -> Spool:
        run_id = going.name.run_id
        return Spool(run_id, self._logs.paths(going.name), going.shared, partial(find_unfinished, self._growth, run_id))

    def _let_go(self, run_id: str) -> None:
        """Unless something is still to come."""
        going = self._going.get(run_id)
        if going is not None and going.is_over and going.spool is not None and going.spool.is_over:
            self._forget(run_id)

    def _forget(self, run_id: str) -> None:
        going = self._going.pop(run_id, None)
        self._dirty.pop(run_id, None)
        if going is not None and going.spool is not None:
            going.spool.close()

    async def _write(self, told: list[Told]) -> set[str]:
        """However long the database takes to come back."""
        while True:
            try:
                return await self._database.write(lambda c: sharedlogs.tell(c, self.writer, told))
            except Unavailable:
                await asyncio.sleep(PAUSE_S)

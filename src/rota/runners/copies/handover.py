"""Lets one machine at a time write the log of a run, each where the one before it has come to."""

import asyncio

import structlog

from rota.core.errors import RotaError, Unavailable
from rota.core.run import Run
from rota.logs import LogName, RunLogs
from rota.runners.copies.known import DOUBT_S, LOOK_S, PATIENCE_S, Here, Known, look_up
from rota.runners.copies.mirror import Mirror
from rota.runners.copies.teller import Teller
from rota.runners.persisting import persisting
from rota.store import settlement, sharedlogs
from rota.store.database import Database
from rota.store.sharedlogs import SharedLog

log = structlog.get_logger("rota.runner")

LAST_WORDS_S = 3.0


class Handover:
    """Of one server. A run that begins for the first time costs nothing here but a line in memory."""

    def __init__(self, database: Database, logs: RunLogs, mirror: Mirror, teller: Teller, here: Here) -> None:
        self._database = database
        self._logs = logs
        self._mirror = mirror
        self._teller = teller
        self._here = here

    async def prepare(self, run: Run, task_name: str) -> None:
        """The log of a run is about to be written here: all of it that was told is here when this returns."""
        name = LogName(task_name, run.created_at, run.id)
        has_begun = run.fence > 1 and await persisting(lambda: self._has_begun(run))
        shared = await persisting(lambda: self._take_over(run, name)) if has_begun else None
        self._teller.begin(name, shared)

    def end(self, run_id: str) -> None:
        """Nothing is written here into the log of a run any more."""
        self._teller.end(run_id)

    async def hand_on(self, run: Run, task_name: str) -> None:
        """A worker is about to go on with the log of a run: it finds all that was written until now told."""
        if run.fence > 1 and await persisting(lambda: self._has_begun(run)):
            name = LogName(task_name, run.created_at, run.id)
            await persisting(lambda: self._have_told(name))

    async def hear_wanted(self, name: LogName) -> None:
        """Another server asks for a log: it is told if it is ours to tell."""
        try:
            known = await self._look_up(name)
        except Unavailable:
            return
        if self._is_ours(name, known) or (not known.shared and known.node_of.get(name.run_id) in self._here.names):
            self._teller.ask(name, known.shared.get(name.run_id))

    async def ask_for(self, name: LogName) -> SharedLog | None:
        """What the other servers tell of a log that nobody has told anything of."""
        self._here.ask(name)
        await self._until_whole(name)
        return (await self._look_up(name)).shared.get(name.run_id)

    async def close(self) -> None:
        """Tell the rest, if there is time and anybody to hear it."""
        if not self._here.has_others():
            return
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                await self._teller.tell_all()
        except (TimeoutError, RotaError, OSError) as error:
            log.warning("the last lines of some logs were not told to the other servers", why=str(error))

    async def _has_begun(self, run: Run) -> bool:
        """Whether anything came of an earlier claim."""
        return run.fence > 1 + await self._database.read(lambda c: settlement.count_returned(c, run.id))

    async def _take_over(self, run: Run, name: LogName) -> SharedLog | None:
        """Nobody else writes it when this returns. None if nothing was told of it."""
        known = await self._look_up(name)
        if not known.shared and not self._here.has_others():
            return None  # and nobody wants to be told
        is_ours = await self._gather(name, known)
        taken = await self._database.write(lambda c: sharedlogs.take_over(c, run.id, self._here.place, run.fence))
        if taken is not None and not is_ours:
            await self._mirror.bring(name, taken, is_final=True)
        self._mirror.drop(name)
        return taken

    async def _have_told(self, name: LogName) -> bool:
        return await self._gather(name, await self._look_up(name))

    async def _gather(self, name: LogName, known: Known) -> bool:
        """Have all told that earlier attempts have written, by whoever has it. True if what is here is all there is."""
        if self._is_ours(name, known) or self._teller.has(name.run_id):
            self._teller.ask(name, known.shared.get(name.run_id))
            await self._teller.tell_all()
            return True
        if self._may_be_late(name, known):
            self._here.ask(name)
            await self._until_whole(name)
        return False

    def _is_ours(self, name: LogName, known: Known) -> bool:
        shared = known.shared.get(name.run_id)
        return self._logs.is_here(name) if shared is None else shared.writer == self._here.place

    def _may_be_late(self, name: LogName, known: Known) -> bool:
        shared = known.shared.get(name.run_id)
        return self._here.has_others() if shared is None else not shared.is_whole and shared.writer in known.places

    async def _until_whole(self, name: LogName) -> None:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + DOUBT_S
        seen: SharedLog | None = None
        while loop.time() < give_up_at:
            await asyncio.sleep(LOOK_S)
            shared = (await self._look_up(name)).shared.get(name.run_id)
            if shared is not None and shared.is_whole:
                return
            if shared is not None and (seen is None or shared.seq > seen.seq):
                seen, give_up_at = shared, loop.time() + PATIENCE_S

    async def _look_up(self, name: LogName) -> Known:
        return await self._database.read(lambda c: look_up(c, [name.run_id]))

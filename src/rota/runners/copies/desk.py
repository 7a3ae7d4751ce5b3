"""Has logs here when they are asked for, whoever writes them."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeVar

import structlog

from rota.core.errors import Conflict, Unavailable
from rota.core.run import Run
from rota.logs import LogName, RunLogs
from rota.runners.copies.known import DOUBT_S, LOOK_S, PATIENCE_S, Here, Known, look_up
from rota.runners.copies.mirror import Mirror
from rota.runners.copies.unfinished import show_unfinished
from rota.runners.growth import LogGrowth
from rota.store import sharedlogs
from rota.store.database import Database

log = structlog.get_logger("rota.runner")

# The logs that somebody follows are looked at this often.
FOLLOW_S = 0.15
PAUSE_S = 0.5
MOST_REMEMBERED = 1000
Wanted = Sequence[tuple[Run, str]]
V = TypeVar("V")


class Desk:
    """Runs are named with their task's name."""

    def __init__(self, database: Database, logs: RunLogs, growth: LogGrowth, mirror: Mirror, here: Here) -> None:
        self._database = database
        self._logs = logs
        self._growth = growth
        self._mirror = mirror
        self._here = here
        self._watched: OrderedDict[str, LogName] = OrderedDict()
        self._shown: dict[str, str | None] = {}
        self._futile: OrderedDict[str, None] = OrderedDict()

    async def have(self, wanted: Wanted) -> dict[str, Conflict]:
        """Bring the logs of these runs here as far as they are told; of runs that do not run at this moment, to their end.

        Answers why those are not here that cannot be had, by run. Raises Unavailable.
        """
        asked = {run.id: run for run, _ in wanted}
        names = {run.id: LogName(task_name, run.created_at, run.id) for run, task_name in wanted}
        for run_id, run in asked.items():
            if run.ended_at is None:
                _remember(self._watched, run_id, names[run_id])
        asked = {run_id: run for run_id, run in asked.items() if not self._logs.is_written(names[run_id])}
        if not asked:
            return {}
        known = await self._look_up(asked)
        missing = [run for run in asked.values() if self._is_missing(run, names[run.id], known)]
        if missing:
            known = await self._wait_for(missing, names, known)
        for run_id, shared in known.shared.items():
            if shared.writer != self._here.place:
                await self._mirror.bring(names[run_id], shared, is_final=asked[run_id].ended_at is not None)
        unknown = [run.id for run in missing if _is_untold(run.id, known)]
        return {run_id: _refusal(known.node_of[run_id], known) for run_id in unknown}

    async def keep_following(self) -> None:
        """Bring what is written elsewhere into the logs that somebody follows here, until cancelled."""
        while True:
            await asyncio.sleep(FOLLOW_S)
            try:
                await self._follow([run_id for run_id in self._growth.followed if run_id in self._watched])
            except (Unavailable, OSError):
                await asyncio.sleep(PAUSE_S)
            except Exception:  # nobody else would bring anything
                log.exception("logs that are written elsewhere could not be brought")
                await asyncio.sleep(PAUSE_S)

    async def _look_up(self, asked: dict[str, Run]) -> Known:
        return await self._database.read(lambda c: look_up(c, asked))

    def _is_missing(self, run: Run, name: LogName, known: Known) -> bool:
        """Whether there may be more of its log than was told."""
        shared, is_futile = known.shared.get(run.id), run.id in self._futile
        if shared is not None:
            may_come = not shared.is_whole and shared.writer in known.writers - {self._here.place}
            return run.state != "running" and may_come and not is_futile
        node = known.node_of.get(run.id)
        if run.started_at is None or node in self._here.names or self._logs.is_here(name):
            return False
        return node is not None or (self._here.has_others() and not is_futile)

    async def _wait_for(self, missing: Sequence[Run], names: dict[str, LogName], known: Known) -> Known:
        """Ask the others, and see what they tell."""
        hopeful = {run.id: run for run in missing if not _is_lost(run.id, known)}
        for run_id in hopeful:
            self._here.ask(names[run_id])
        is_doubtful = not any(run_id in known.node_of or run_id in known.shared for run_id in hopeful)
        loop, asked = asyncio.get_running_loop(), dict.fromkeys(names)
        give_up_at = loop.time() + (DOUBT_S if is_doubtful else PATIENCE_S)
        while hopeful and loop.time() < give_up_at:
            await asyncio.sleep(LOOK_S)
            known = await self._database.read(lambda c: look_up(c, asked))
            hopeful = {run_id: run for run_id, run in hopeful.items() if self._is_missing(run, names[run_id], known)}
        for run_id in hopeful:
            _remember(self._futile, run_id, None)
        return known

    async def _follow(self, run_ids: Sequence[str]) -> None:
        for run_id in [shown for shown in self._shown if shown not in run_ids]:
            self._stop_showing(run_id)
        if not run_ids:
            return
        shared = await self._database.read(lambda c: sharedlogs.find_shared_logs(c, run_ids))
        for run_id, each in shared.items():
            name = self._watched[run_id]
            if each.writer == self._here.place or self._logs.is_written(name):
                self._shown.pop(run_id, None)
                continue
            has_grown = await self._mirror.bring(name, each)
            if each.drawn != self._shown.get(run_id):
                self._shown[run_id] = each.drawn
                show_unfinished(self._growth, run_id, each.drawn)
                has_grown = True
            if has_grown:
                self._growth.wake(run_id)

    def _stop_showing(self, run_id: str) -> None:
        del self._shown[run_id]
        name = self._watched.get(run_id)
        if name is None or not self._logs.is_written(name):
            self._growth.end(run_id)


def _is_untold(run_id: str, known: Known) -> bool:
    """Whether somebody had the run, and has told nothing."""
    return run_id not in known.shared and run_id in known.node_of


def _is_lost(run_id: str, known: Known) -> bool:
    """Whether there is nobody to be asked."""
    return _is_untold(run_id, known) and known.node_of[run_id] not in known.addresses


def _refusal(node: str, known: Known) -> Conflict:
    if node in known.addresses:
        return Conflict(f"the log of this run is on the node {node}", hint=f"ask that one, at {known.addresses[node]}")
    return Conflict(
        f"the log of this run is on the node {node}, which is not there", hint="start it again: what it has told nobody is there"
    )


def _remember(where: OrderedDict[str, V], run_id: str, value: V) -> None:
    where[run_id] = value
    where.move_to_end(run_id)
    if len(where) > MOST_REMEMBERED:
        where.popitem(last=False)

"""The parts of a server that tell other machines what is written here, into logs above all, and bring what is written there."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from rota.blobs import LocalBlobs
from rota.bus import LOG_WANTED
from rota.core.errors import RotaError
from rota.core.run import Run
from rota.datadir import NAMES
from rota.logs import LogName
from rota.runners import LocalRunner, LogGrowth
from rota.runners.copies.appender import Appender
from rota.runners.copies.desk import Desk
from rota.runners.copies.handover import Handover
from rota.runners.copies.known import Here
from rota.runners.copies.mirror import Mirror
from rota.runners.copies.teller import Teller
from rota.store.nodes import Node

if TYPE_CHECKING:
    from rota.server.parts import Parts


class LogExchange:
    """`works` go on as long as the server is among the others; `close` when nothing is written here any more."""

    def __init__(self, parts: "Parts", growth: LogGrowth, node: Node) -> None:
        rota, engine = parts.rota, parts.engine
        self._bus = rota.bus
        here = Here(node.place, all_names(parts.settings.server.data, node.name), lambda: engine.has_others, self._ask)
        mirror = Mirror(rota.database, rota.logs, rota.blobs)
        self._teller = Teller(rota.database, rota.logs, growth, node.place, here.has_others)
        self._desk = Desk(rota.database, rota.logs, growth, mirror, here)
        self.handover = Handover(rota.database, rota.logs, mirror, self._teller, here)
        self._answering: set[asyncio.Task[None]] = set()
        if isinstance(rota.blobs, LocalBlobs):
            rota.blobs.is_shared = lambda: engine.has_others or parts.fleet is not None
        parts.pruner.keeps_logs = parts.settings.blobs.kind == "s3"
        growth.listener = self._teller.grown
        rota.bring_logs = self._bring
        rota.append_log = Appender(rota.database, rota.logs, mirror, self.handover, here).append
        if isinstance(parts.runner, LocalRunner):
            parts.runner.sharing = self.handover
        if parts.fleet is not None:
            parts.fleet.runner.hand_on = self.handover.hand_on

    @property
    def works(self) -> list[Callable[[], Awaitable[None]]]:
        return [self._teller.keep_telling, self._desk.keep_following]

    def hear_wanted(self, name: LogName) -> None:
        """Another server wants to have a log."""
        answering = asyncio.create_task(self.handover.hear_wanted(name))
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    async def close(self) -> None:
        await self.handover.close()

    async def _bring(self, wanted: Sequence[tuple[Run, str]]) -> dict[str, RotaError]:
        return {**await self._desk.have(wanted)}

    def _ask(self, name: LogName) -> None:
        self._bus.tell_others(LOG_WANTED, {"name": msgspec.to_builtins(name)})


def all_names(data: Path, name: str) -> frozenset[str]:
    """Of the servers that had this data directory, this one included."""
    file = data / NAMES
    names = frozenset(file.read_text().splitlines()) if file.exists() else frozenset[str]()
    if name not in names:
        with file.open("a") as told:
            told.write(f"{name}\n")
    return names | {name}

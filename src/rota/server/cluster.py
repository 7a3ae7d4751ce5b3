"""The parts of a server that shares its database with others."""

import asyncio
import hashlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
import structlog
from msgspec.structs import replace

from rota import __version__
from rota.bus import LOG_WANTED, OVER
from rota.clock import steady_s
from rota.config import Settings, Unit, explain
from rota.config.secret import Secret
from rota.core.errors import RotaError, Unavailable
from rota.core.silence import Silence
from rota.datadir import LEDGER, PLACE
from rota.engine.loop import Loop, keep_ticking
from rota.engine.membership import Duties, Joined, Membership
from rota.engine.relay import LED, Relay
from rota.engine.seat import Seat
from rota.engine.shared import SharedLoop
from rota.logs import LogName
from rota.ops.door import NONCE_S, TICKET_S
from rota.ops.installation import apply_file_tasks
from rota.ops.sharedwords import SharedWords
from rota.runners import LogGrowth
from rota.runners.keeper import Keeper
from rota.runners.local import LocalRunner
from rota.server.logexchange import LogExchange
from rota.server.units import Units
from rota.store import gonelogs, nodes
from rota.store.database import open_beside
from rota.store.leadership import Lead
from rota.store.listening import Listener
from rota.store.nodes import Node
from rota.store.postgres import PostgresDriver

if TYPE_CHECKING:
    from rota.server.parts import Parts

log = structlog.get_logger()

# What machines may differ in. All other parts of the settings should be the same everywhere.
OWN_PARTS = frozenset({"server", "daemon", "listen", "storage", "modules", "files"})
REST_S = 1.0
# What others have pruned is looked for this often, so many at a time, beside hearing of it at once.
SWEEP_EVERY_S, SWEEP = 600.0, 100


class Cluster:
    """Made after the other parts, and started before them."""

    def __init__(self, parts: "Parts", growth: LogGrowth, seat: Seat, url: str) -> None:
        self._parts = parts
        self.seat = parts.engine.seat = seat
        # Two tries fit into the time that it may be silent.
        self._beside = open_beside(url, patience_s=min(4.0, seat.silence.hold_s / 2), place=seat.node.place)
        duties = Duties(
            settings=Checksum(parts.units), busy=lambda: parts.runner.busy, abandon=parts.runner.abandon,
            hold=self._hold,
            take_over=self.take_over, adopt=parts.runner.adopt,
            find_left=parts.fleet.list_left if parts.fleet else nodes.list_left_runs,
        )  # fmt: skip
        self._logs = LogExchange(parts, growth, seat.node)
        self.membership = Membership(parts.engine, seat, self._beside, parts.settler, duties)
        self._relay = Relay(parts.engine, self._beside, self._hear_call, self._hidden())
        self._listener = Listener(PostgresDriver(url), self._relay.hear, self._relay.miss)
        if isinstance(parts.runner, LocalRunner):
            parts.runner.is_ours = lambda: not (seat.is_out or seat.is_stale)
        self._tasks: list[asyncio.Task[None]] = []
        self._keeper: Keeper | None = None

    def share(self, loop: Loop) -> SharedLoop:
        """The same loop as it is on one of several nodes."""
        parts = self._parts
        fleet = parts.fleet
        if loop is parts.dispatcher and fleet is not None:
            # Who knows how much is out is who hands out; so there is one.
            return SharedLoop(loop, parts.engine, is_led=True, on_rest=fleet.rest, is_ready=lambda: fleet.is_ready)
        rest = parts.notifier.let_go if loop is parts.notifier else lambda: None
        return SharedLoop(loop, parts.engine, is_led=loop.name in LED, on_rest=rest)

    async def join(self, address: str | None) -> Joined:
        """`address`: of the main listener."""
        engine, seat = self._parts.engine, self.seat
        seat.node = replace(seat.node, address=self._parts.settings.daemon.external_url or _reached(address))
        joined = await self.membership.join()
        if gap := self._parts.rota.blobs.find_gap():
            log.warning(gap)
        engine.bus.outward = self._relay
        beats = keep_ticking(self.membership, engine.clock, engine.bus, engine.vitals)
        lasting = (self.membership.watch, self._relay.bring_in, self._listener.listen, self._sweep, *self._logs.works)
        for work in (beats, *map(keep_going, lasting)):
            self._tasks.append(asyncio.create_task(work))
        return joined

    async def take_over(self, lead: Lead) -> None:
        """Plan on where another node left off: nothing is started, forgiven or given up as when the installation starts."""
        parts = self._parts
        await self.take_up()
        try:
            await apply_file_tasks(parts.rota, [unit.spec for unit in parts.units.all])
        except Unavailable:  # it is tried again, as a whole
            raise
        except RotaError as error:
            log.error("the tasks of the settings file were not taken over", why=explain(error))
        await parts.scheduler.take_over(lead.vacant)
        parts.dispatcher.look_everywhere()
        for loop in parts.loops:
            parts.engine.bus.wake(loop.name)

    async def take_up(self) -> None:
        """Go on with all that is out, before anything more is handed out."""
        if self._parts.fleet is not None:
            self._parts.dispatcher.let_go()
            await self._parts.fleet.take_up()

    async def hand_over(self) -> None:
        """Plan no more, if another can."""
        try:
            await self.membership.hand_over()
        except RotaError as error:
            log.warning("the lead was not handed over", why=error.message)

    async def leave(self) -> None:
        """Nothing runs here any more. The others hear of it at once, or find it out."""
        await self._logs.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.close)
        try:
            await self.membership.leave()
        except RotaError:  # the others find it out
            return

    async def _sweep(self) -> None:
        """Delete the logs here of runs that were pruned: while this server was not there, or did not hear of it."""
        while True:
            if await self._sweep_some() < SWEEP:
                await asyncio.sleep(SWEEP_EVERY_S)

    async def _sweep_some(self) -> int:
        rota, name = self._parts.rota, self.seat.node.name
        gone = await rota.database.read(lambda c: gonelogs.list_gone(c, name, SWEEP))
        for each in gone:
            rota.logs.delete(LogName(each.task_name, each.created_at, each.run_id))
        if gone:
            await rota.database.write(lambda c: gonelogs.forget_gone(c, name, [each.run_id for each in gone]))
        return len(gone)

    def _hold(self, left_s: float | None) -> None:
        """Sees to it that nothing runs on here when others may have it, though we be frozen or dead."""
        if left_s is None and self._keeper is None:
            return
        if self._keeper is None:
            self._keeper = Keeper(self._parts.settings.server.data / LEDGER)
        self._keeper.ensure()
        self._keeper.hold_all(None if left_s is None else asyncio.get_running_loop().time() + left_s)

    def close(self) -> None:
        self._beside.close()

    def _hidden(self) -> dict[str, Callable[[dict[str, Any]], object]]:
        hear, fleet = self._logs.hear_wanted, self._parts.fleet
        told = {} if fleet is None else {OVER: lambda data: fleet.runner.hear_over(data["run_id"], data["fence"])}
        return {
            **self._parts.hidden_notices(), **told, LOG_WANTED: lambda data: hear(msgspec.convert(data["name"], LogName)),
        }  # fmt: skip

    def _hear_call(self, name: str) -> None:
        if name == "dispatcher":
            self._parts.dispatcher.look_everywhere()
            if self._parts.fleet is not None:
                self._parts.fleet.runner.look_soon()


class Checksum:
    """Of the tasks that the settings file defines."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._of: list[Unit] | None = None
        self._known = ""

    def __call__(self) -> str:
        if self._of is not self._units.all:
            self._of = self._units.all
            specs = sorted((unit.spec for unit in self._of), key=lambda spec: spec.name)
            self._known = hashlib.sha256(msgspec.json.encode(specs, order="deterministic")).hexdigest()[:16]
        return self._known


async def keep_going(work: Callable[[], Awaitable[None]]) -> None:
    """Until it is cancelled: whatever becomes of it, it begins again."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("what keeps up with the other nodes failed", work=work.__name__)
        await asyncio.sleep(REST_S)


def build_cluster(parts: "Parts", growth: LogGrowth, url: str) -> Cluster:
    """Raises Unavailable if the database does not answer."""
    settings = parts.settings
    node = replace(
        parts.rota.here or Node(id=parts.engine.node, name=""),
        place=_place(settings.server.data), version=__version__, parts=summarize_parts(settings),
    )  # fmt: skip
    parts.rota.here = node
    silence = Silence(settings.server.lost_after)
    door = parts.rota.door
    door.nonces, door.tickets = SharedWords(parts.rota, NONCE_S, "nonce"), SharedWords(parts.rota, TICKET_S, "ticket")
    return Cluster(parts, growth, Seat(node=node, steady_s=steady_s, silence=silence), url)


def summarize_parts(settings: Settings) -> dict[str, str]:
    """A checksum of each part, to see where it differs; too short to say anything of a secret in it."""
    parts = {name: getattr(settings, name) for name in Settings.__struct_fields__ if name not in OWN_PARTS}
    return {name: hashlib.sha256(_encode(value)).hexdigest()[:4] for name, value in parts.items()}


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(
        value, order="deterministic", enc_hook=lambda each: each.reveal() if isinstance(each, Secret) else str(each)
    )


def _reached(address: str | None) -> str | None:
    """A listener on all addresses is reached by the machine's name."""
    host, _, port = (address or "").rpartition(":")
    return f"{socket.gethostname()}:{port}" if host in ("0.0.0.0", "[::]") else address  # noqa: S104  nothing is bound here


def _place(data: Path) -> str:
    """An id of the data directory, which its owner alone asks for."""
    file = data / PLACE
    if not file.exists():
        part = file.with_suffix(".new")
        part.write_text(uuid4().hex)
        part.replace(file)
    return file.read_text()

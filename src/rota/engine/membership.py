"""Keeps this server among the nodes of its database: says that it lives, leads if nobody does, gives up who is silent."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog
from msgspec import Struct
from msgspec.structs import replace

from rota.bus import LoopName
from rota.core.errors import Conflict
from rota.core.outcome import STOP_OUTCOMES, Outcome, StopCause
from rota.core.run import Run
from rota.core.silence import Silence
from rota.core.task import Task
from rota.engine.context import Engine
from rota.engine.loop import Tick
from rota.engine.nodenotes import compare_nodes
from rota.engine.relay import wake_up
from rota.engine.rescuer import CRASHED
from rota.engine.seat import Seat
from rota.engine.settler import Settler
from rota.runners.base import Finished
from rota.store import leadership, migrate, nodes, settlement
from rota.store.database import Connection, Database
from rota.store.leadership import Lead
from rota.store.nodes import Node, Seen
from rota.store.wakeups import call_out

log = structlog.get_logger()

WATCH_S = 0.5
PLACE_TRIES, PLACE_PAUSE_S = 25, 0.2
# Whose clock is further from the database's does not plan, if there is another whose is not.
MOST_OFF = timedelta(seconds=2)


class Joined(Struct, frozen=True):
    """How a server found its database.

    former  ids of its own earlier lives that nobody has given up: what they have left is its to repair
    """

    former: list[str]
    lead: Lead | None
    others: int


class Heard(Struct, frozen=True):
    """What the database says at a beat."""

    is_member: bool
    lead: Lead | None = None
    nodes: list[Seen] = []
    clock_off: timedelta = timedelta()


class Duties(Struct, frozen=True, kw_only=True):
    """What a server does beside.

    settings  a checksum of the tasks that its settings file defines
    busy      how many runs are going on here
    abandon   ends them all: they are not ours any more
    take_over plans on where another left off
    hold      says for how many seconds from now what runs here is ours, frozen or not; None: for longer than matters
    adopt     goes on with attempts that others carry out, as a runner does
    find_left running runs that this node is to look after, as it leads, and that are another's so far
    """

    settings: Callable[[], str]
    busy: Callable[[], int]
    abandon: Callable[[], Awaitable[None]]
    hold: Callable[[float | None], None]
    take_over: Callable[[Lead], Awaitable[None]]
    adopt: Callable[[Sequence[tuple[Run, Task]], str], Awaitable[list[Run]]]
    find_left: Callable[[Connection], list[Run]] = nodes.list_left_runs


class Membership:
    """Beats on a way of its own into the database, so that no other work holds them up."""

    name: LoopName = "membership"

    def __init__(self, engine: Engine, seat: Seat, beside: Database, settler: Settler, duties: Duties) -> None:
        self._engine = engine
        self._seat = seat
        self._beside = beside
        self._settler = settler
        self._duties = duties
        self._former: list[str] = []
        self._since_s = 0.0
        self._wants_lead = False
        self._owed: Lead | None = None
        self._dropping = asyncio.Lock()

    # Coming and going

    async def join(self) -> Joined:
        """Take a seat, and the lead if nobody has it. Raises Conflict where a copy of our data directory is at work."""
        await self._take_place()
        asked_s = self._seat.steady_s()
        joined = await self._beside.write(self._join)
        self._seat.heard_s = self._since_s = asked_s
        self._seat.term = joined.lead.term if joined.lead else None
        self._seat.others, self._former = joined.others, joined.former
        self._hold()
        return joined

    async def _take_place(self) -> None:
        """Whoever works with another copy would take our runs for its own, and we its. One that has just died is no matter."""
        place, beat = self._seat.node.place, timedelta(seconds=self._seat.silence.beat_s)
        for _ in range(PLACE_TRIES):
            if await self._beside.write(lambda c: nodes.take_place(c, place, beat)):
                return
            await asyncio.sleep(PLACE_PAUSE_S)
        hint = "give this server a data directory of its own, or delete node.id and processes.log from its copy"
        raise Conflict("another server works with a copy of this data directory", hint=hint)

    def _join(self, c: Connection) -> Joined:
        seat, node = self._seat, self._seat.node
        former = nodes.refresh_place(c, node.place)
        for node_id in former:
            leadership.release_lead(c, node_id)
        others = self._others(nodes.list_nodes(c))
        seat.promise, clock_off = seat.wanted_promise(len(others)), self._measure_clock(c)
        seat.node = replace(node, schema=migrate.newest_migration(c))
        nodes.insert_node(c, self._present(seat.node, clock_off))
        call_out(c, [wake_up(node.id, self.name)])
        lead = leadership.take_lead(c, node.id, seat.lead_ttl) if _may_plan(clock_off, others) else None
        return Joined(former, lead, len(others))

    def _present(self, node: Node, clock_off: timedelta) -> Node:
        return replace(
            node, settings=self._duties.settings(), lost_after=self._seat.promise.lost_after, clock_off=clock_off
        )  # fmt: skip

    def _others(self, found: Sequence[Seen]) -> list[Node]:
        """Servers that are there, as far as can be known; our own earlier lives are not among them."""
        limit, place = self._seat.silence.lost_after, self._seat.node.place
        return [each.node for each in found if each.node.kind == "server" and each.silence < limit and each.node.place != place]

    def _measure_clock(self, c: Connection) -> timedelta:
        """How far our clock is ahead of the database's."""
        before = self._engine.clock.now()
        there = nodes.read_moment(c)
        return before + (self._engine.clock.now() - before) / 2 - there

    async def settle_in(self) -> None:
        """What the earlier lives have left is repaired: from now on it may lead, and is like any other."""
        former, self._former = self._former, []
        await self._beside.write(lambda c: nodes.delete_nodes(c, former))
        self._wants_lead = True

    async def hand_over(self) -> None:
        """Plan no more, if there is another that can."""
        self._wants_lead = False
        if self._seat.others:
            self._seat.term = None
            await self._beside.write(self._release)

    async def leave(self) -> None:
        """Nothing is held any more."""
        await self._beside.write(self._leave)

    def _move(self, c: Connection, old: str, node: Node) -> None:
        leadership.release_lead(c, old)
        nodes.delete_nodes(c, [old])
        nodes.insert_node(c, self._present(node, self._measure_clock(c)))

    def _release(self, c: Connection) -> None:
        leadership.release_lead(c, self._seat.node.id)
        call_out(c, [wake_up(self._seat.node.id, self.name)])

    def _leave(self, c: Connection) -> None:
        self._release(c)
        nodes.delete_nodes(c, [self._seat.node.id])

    # Being there

    async def tick(self) -> Tick:
        seat, asked_s = self._seat, self._seat.steady_s()
        wanted = seat.wanted_promise(seat.others)
        if wanted.lost_after_s < seat.promise.lost_after_s:
            seat.promise = wanted  # whether or not the database hears of it
        heard = await self._beside.write(lambda c: self._beat(c, wanted))
        if seat.is_out or not heard.is_member:
            await self._come_back()
            return Tick(again=True)
        if asked_s - seat.heard_s > 2 * seat.silence.beat_s:
            self._since_s = asked_s  # we cannot know how long the others have been silent
        seat.heard_s, seat.promise = asked_s, wanted
        self._hold()
        self._note(heard)
        await self._lead(heard.lead)
        # Not before what is known of our own earlier lives has been repaired.
        counts = await self._look_after(heard.nodes) if seat.term is not None and self._wants_lead else {}
        next_at = self._engine.clock.now() + timedelta(seconds=seat.silence.beat_s)
        return Tick(counts, next_at=next_at, again=seat.wanted_promise(seat.others).lost_after_s < seat.promise.lost_after_s)

    def _beat(self, c: Connection, promise: Silence) -> Heard:
        seat, node = self._seat, self._seat.node
        if self._former:
            nodes.refresh_place(c, node.place)
        clock_off = self._measure_clock(c)
        if not nodes.beat(c, node.id, self._duties.busy(), self._duties.settings(), promise.lost_after, clock_off):
            return Heard(is_member=False)
        found = nodes.list_nodes(c)
        lead = None
        if not _may_plan(clock_off, self._others(found)):
            leadership.release_lead(c, node.id)
        elif not seat.is_out and (self._wants_lead or seat.term is not None):
            lead = leadership.take_lead(c, node.id, seat.lead_ttl)
        return Heard(True, lead, found, clock_off)

    def _note_offers(self, others: Sequence[Node]) -> None:
        self._seat.rooms = {node.id: node.capacity for node in others if node.capacity}
        offers = sorted((frozenset(node.labels) for node in others if node.capacity), key=sorted)
        if offers != self._seat.offers:
            self._seat.offers = offers
            self._engine.bus.wake("dispatcher")

    def _note(self, heard: Heard) -> None:
        others = self._others(heard.nodes)
        self._seat.others = len(others)
        self._seat.workers = sum(seen.node.kind == "worker" and not seen.is_lost for seen in heard.nodes)
        self._note_offers(others)
        own = self._present(self._seat.node, heard.clock_off)
        self._engine.vitals.notes = dict(compare_nodes(own, others, MOST_OFF))

    async def _lead(self, lead: Lead | None) -> None:
        if lead is None:
            if self._seat.term is not None:
                self._engine.step_down()
            return
        if self._seat.term != lead.term:
            self._owed, self._seat.term = lead, lead.term
        if self._owed is not None:
            log.info("this server plans now", term=lead.term)
            await self._duties.take_over(self._owed)
            self._owed = None

    def _hold(self) -> None:
        """A little longer than we would ourselves: where we can, we end it."""
        seat = self._seat
        spare_s = (seat.promise.lost_after_s - seat.promise.hold_s) / 4
        left_s = seat.heard_s + seat.promise.hold_s + spare_s - seat.steady_s()
        self._duties.hold(left_s if seat.promise == seat.silence else None)

    async def watch(self) -> None:
        """Ends what runs here before others may take it, if nothing is heard of the database for too long."""
        while True:
            await asyncio.sleep(min(WATCH_S, self._seat.silence.lost_after_s / 16))
            if self._seat.is_stale and not self._seat.is_out:
                log.error("the database was not heard for too long: what runs here is ended, for another node may have it")
                await self._drop_out()

    async def _drop_out(self) -> None:
        async with self._dropping:
            self._seat.is_out, self._owed = True, None
            self._engine.step_down()
            await self._duties.abandon()

    async def _come_back(self) -> None:
        """Under a new id: what was held under the old one is not ours any more."""
        log.warning("the other nodes gave this server up: it starts anew among them", node=self._seat.node.id)
        await self._drop_out()
        old, asked_s = self._seat.node.id, self._seat.steady_s()
        node = replace(self._seat.node, id=self._engine.ids.new())
        await self._beside.write(lambda c: self._move(c, old, node))
        self._seat.node, self._seat.heard_s, self._since_s = node, asked_s, asked_s
        self._engine.node = node.id
        self._hold()
        self._seat.is_out = False
        self._engine.bus.wake("dispatcher")

    # Looking after the others, of who leads

    async def _look_after(self, found: Sequence[Seen]) -> dict[str, int]:
        given_up = await self._give_up(found)
        left = await self._adopt(await self._engine.database.read(self._duties.find_left))
        if not left:
            return {"given_up": given_up}
        done = await self._settler.settle_found(self._find_left)
        log.warning("ended what a node has left", ended=len(done.ended), again=len(done.retrying))
        return {"given_up": given_up, "ended": len(done.ended), "again": len(done.retrying)}

    async def _adopt(self, left: Sequence[Run]) -> list[Run]:
        """Go on with what others carry out. Answers the rest."""
        if not left:
            return []
        tasks = await self._engine.database.read(lambda c: self._engine.known.get(c, {run.task_id for run in left}))
        adopted = await self._duties.adopt([(run, tasks[run.task_id]) for run in left], self._engine.node)
        return [run for run in left if run.id not in {each.id for each in adopted}]

    async def _give_up(self, found: Sequence[Seen]) -> int:
        """A node counts as silent only if we have listened for as long as it may be."""
        listened = timedelta(seconds=self._seat.heard_s - self._since_s)
        own = self._seat.node.id
        lost = [each.node for each in found if each.is_lost and listened >= each.node.lost_after and each.node.id != own]
        if not lost:
            return 0
        gone = await self._engine.write_led(lambda c: [node for node in lost if nodes.delete_silent(c, node.id)])
        for node in gone:
            log.warning("a node was silent for too long and is given up", node=node.id, name=node.name)
        return len(gone)

    def _find_left(self, c: Connection, now: datetime) -> Sequence[Finished]:
        self._engine.check_lead(c)
        left = nodes.list_left_runs(c)
        stops = settlement.list_stop_causes(c, [run.id for run in left])
        return [_account(run, stops.get(run.id), now) for run in left]


def _may_plan(clock_off: timedelta, others: Sequence[Node]) -> bool:
    """Slots come when the clock of who plans says so."""
    return abs(clock_off) <= MOST_OFF or all(abs(node.clock_off) > MOST_OFF for node in others)


def _account(run: Run, stop: StopCause | None, now: datetime) -> Finished:
    state, reason = STOP_OUTCOMES[stop] if stop else CRASHED
    outcome = Outcome(state=state, reason=reason, error="its node was not heard of any more while this was running")
    return Finished(run_id=run.id, fence=run.fence, outcome=outcome, ended_at=now)

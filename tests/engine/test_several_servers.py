"""Several servers on one database, without their processes: who plans, who is given up, what crosses from one to another."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import psycopg
import pytest
from tests.engine.machine import FakeRunner, Machine, VirtualClock, Work
from tests.factories import make_new_run, make_task, spec

from rota.bus import LOG_GONE, Bus, LoopName, Watcher
from rota.core.errors import Conflict
from rota.core.policy import Policy
from rota.core.run import Run
from rota.core.silence import Silence
from rota.engine import membership, relay
from rota.engine.balance import PATIENCE
from rota.engine.context import Engine
from rota.engine.dispatcher import Dispatcher
from rota.engine.known import KnownTasks
from rota.engine.loop import Tick
from rota.engine.membership import Duties, Membership
from rota.engine.relay import Relay
from rota.engine.seat import ALONE, Deposed, Seat
from rota.engine.settler import Settler
from rota.engine.shared import LOOK_AGAIN, SharedLoop
from rota.ids import Ids
from rota.logs import LogName
from rota.runners.ledger import ProcessLedger
from rota.store import admission, leadership, nodes, runs, tasks
from rota.store.connection import Connection
from rota.store.database import Database, open_beside, open_postgres
from rota.store.leadership import Lead
from rota.store.nodes import Node
from rota.vitals import Vitals

pytestmark = pytest.mark.e2e

SCHEMA = "several"
CAPACITY = 16
HOLD_S = Silence().hold_s


class Ticking(VirtualClock):
    """Goes on by itself from the present, until it is stopped."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))
        self._goes_since: float | None = monotonic()

    def now(self) -> datetime:
        gone_s = 0.0 if self._goes_since is None else monotonic() - self._goes_since
        return super().now() + timedelta(seconds=gone_s)

    def stop(self) -> None:
        self._now, self._goes_since = self.now(), None


class Server:
    """What a server has that shares its database, with a steady clock that is moved by hand."""

    def __init__(self, url: str, folder: Path, name: str, stack: ExitStack) -> None:
        self.clock, self.steady_s = Ticking(), 100.0
        self.database: Database = stack.enter_context(closing(open_postgres(url, schema=SCHEMA)))
        self.beside: Database = stack.enter_context(closing(open_beside(url, SCHEMA)))
        self.ids = Ids(self.clock)
        self.bus = Bus()
        self.engine = Engine(
            node=self.ids.new(), database=self.database, clock=self.clock, bus=self.bus, ids=self.ids,
            vitals=Vitals(started_at=self.clock.now()), known=KnownTasks(),
        )  # fmt: skip
        self.seat = self.engine.seat = Seat(
            node=Node(id=self.engine.node, name=name, place=name, capacity=CAPACITY), steady_s=lambda: self.steady_s
        )
        ledger = stack.enter_context(closing(ProcessLedger(folder / f"{name}.log")))
        runner = FakeRunner(Machine(self.clock), self.clock, self.bus, ledger, lambda _: Work(), CAPACITY)
        self.dispatcher = Dispatcher(self.engine, runner)
        self.abandoned, self.has_abandoned = 0, asyncio.Event()
        self.taken: list[Lead] = []
        self.held: list[float | None] = []
        duties = Duties(
            settings=lambda: "same",
            busy=lambda: 0,
            abandon=self._abandon,
            take_over=self._take_over,
            adopt=runner.adopt,
            hold=self.held.append,
        )
        settler = Settler(self.engine, runner, self.dispatcher)
        self.membership = Membership(self.engine, self.seat, self.beside, settler, duties)
        self.called: list[str] = []
        self.gone: list[LogName] = []
        self.relay = Relay(self.engine, self.beside, self.called.append, {LOG_GONE: self._hear_gone})

    def _hear_gone(self, data: dict[str, Any]) -> None:
        self.gone.append(msgspec.convert(data["name"], LogName))

    async def _abandon(self) -> None:
        self.abandoned += 1
        self.has_abandoned.set()

    async def _take_over(self, lead: Lead) -> None:
        self.taken.append(lead)

    async def join(self) -> None:
        await self.membership.join()
        await self.membership.settle_in()
        await self.membership.tick()


@pytest.fixture
def make(postgres_url: str, tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    with ExitStack() as stack:
        yield lambda name: Server(postgres_url, tmp_path, name, stack)


def play(scene: Coroutine[None, None, None]) -> None:
    asyncio.run(scene)


async def kinds_of(watcher: Watcher, run: Run) -> list[str]:
    """Of what has come so far."""
    kinds: list[str] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            async for notice in watcher:
                kinds.append(notice.kind)
                assert notice.data.get("run", run) == run
    return kinds


def add_running(c: Connection, holder: str) -> Run:
    task = make_task(name="work")
    tasks.insert_task(c, task)
    new = make_new_run(task, state="running", holder=holder, fence=1, attempt=1)
    runs.insert_runs(c, [new])
    return new.run


def test_the_first_plans_and_the_next_takes_over_when_it_hands_over(make: Callable[[str], Server]) -> None:
    async def scene() -> None:
        a, b = make("a"), make("b")
        await a.join()
        await b.join()
        assert (a.engine.leads, b.engine.leads) == (True, False)
        with pytest.raises(Deposed):
            await b.engine.write_led(nodes.list_nodes)
        await a.membership.tick()  # hears of b
        await a.membership.hand_over()
        await b.membership.tick()
        assert (a.engine.leads, b.engine.leads, len(b.taken)) == (False, True, 1)
        assert b.seat.term == 2
        await a.membership.tick()  # wants it no more
        assert not a.engine.leads

    play(scene())


def test_a_copy_of_a_data_directory_that_is_at_work_is_refused(
    make: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "PLACE_PAUSE_S", 0.01)

    async def scene() -> None:
        a, b = make("a"), make("a")
        await a.join()
        with pytest.raises(Conflict, match="copy of this data directory"):
            await b.join()
        assert [seen.node.id for seen in await a.database.read(nodes.list_nodes)] == [a.engine.node]
        await a.database.write(lambda c: c.run("UPDATE nodes SET seen_at = seen_at - 5000000"))
        await b.membership.join()  # its machine has died, and the database has not noticed

    play(scene())


def test_what_a_silent_node_had_is_ended_by_who_leads_and_it_comes_back_under_another_id(make: Callable[[str], Server]) -> None:
    async def scene() -> None:
        a, b = make("a"), make("b")
        await a.join()
        await b.join()
        run = await b.database.write(lambda c: add_running(c, b.engine.node))
        await a.membership.tick()
        assert (await a.database.read(lambda c: runs.get_run(c, run.id))).state == "running"
        await a.database.write(lambda c: c.run("UPDATE nodes SET seen_at = seen_at - 9000000 WHERE name = 'b'"))
        await a.membership.tick()
        assert await a.database.write(lambda c: nodes.hold_node(c, b.engine.node)), "a had not listened for long enough"
        for _ in range(6):
            a.steady_s += 2
            await a.membership.tick()
        after = await a.database.read(lambda c: runs.get_run(c, run.id))
        assert (after.state, after.reason, after.holder) == ("crashed", "node_died", None)
        before = b.engine.node
        await b.membership.tick()
        assert (b.abandoned, b.engine.node == before, b.seat.is_out) == (1, False, False)
        assert [seen.node.id for seen in await a.database.read(nodes.list_nodes)] == [a.engine.node, b.engine.node]

    play(scene())


def test_a_node_that_hears_nothing_ends_its_work_before_others_may_have_it(
    make: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "WATCH_S", 0.001)

    async def scene() -> None:
        a, b = make("a"), make("b")
        await a.join()
        watching = asyncio.create_task(a.membership.watch())
        a.steady_s += HOLD_S + 1
        await asyncio.sleep(0.01)
        assert not a.seat.is_out, "there is nobody who could take it"
        await b.join()
        while (await a.membership.tick()).again:
            continue
        a.steady_s += HOLD_S + 1
        await a.has_abandoned.wait()
        assert (a.abandoned, a.engine.leads) == (1, False)
        with pytest.raises(Exception, match="gave this one up"):
            await a.database.write(a.engine.check_seat)
        await a.membership.tick()
        await a.database.write(a.engine.check_seat)
        watching.cancel()

    play(scene())


def test_who_comes_while_a_node_is_cut_off_waits_for_as_long_as_that_one_promised(make: Callable[[str], Server]) -> None:
    async def scene() -> None:
        a, b = make("a"), make("b")
        await a.join()
        await a.database.write(lambda c: c.run("UPDATE nodes SET seen_at = seen_at - 60000000"))  # and it is not heard of again
        await a.database.write(lambda c: leadership.release_lead(c, a.engine.node))
        await b.join()
        assert b.engine.leads, "planning is safe at once"

        async def listen(beats: int) -> list[str]:
            for _ in range(beats):
                b.steady_s += 2
                await b.membership.tick()
            return [seen.node.name for seen in await b.database.read(nodes.list_nodes)]

        assert await listen(10) == ["a", "b"], "a may be at work: it never heard that there is another"
        await a.database.write(lambda c: c.run("UPDATE nodes SET seen_at = seen_at - 600000000 WHERE name = 'a'"))
        assert await listen(280) == ["a", "b"], "b has not listened for as long"
        assert await listen(20) == ["b"]
        a.steady_s += ALONE.hold_s + 1
        assert a.seat.is_stale

    play(scene())


def test_a_node_is_judged_by_what_it_said_itself(make: Callable[[str], Server]) -> None:
    async def scene() -> None:
        a, b = make("a"), make("b")
        b.seat.silence = Silence(60.0)
        await a.join()
        await b.join()
        a.steady_s += 20
        for each in (a, b, a):
            await each.membership.tick()
        assert (a.seat.promise, b.seat.promise) == (Silence(8.0), Silence(60.0))
        b.steady_s += 40
        assert not b.seat.is_stale
        await a.database.write(lambda c: c.run("UPDATE nodes SET seen_at = seen_at - 40000000 WHERE name = 'b'"))
        for _ in range(6):
            a.steady_s += 2
            await a.membership.tick()
        assert await a.database.write(lambda c: nodes.hold_node(c, b.engine.node))
        assert a.seat.others == 0, "it is not reckoned with meanwhile"

    play(scene())


def test_whose_clock_is_wrong_leaves_the_planning_to_another(make: Callable[[str], Server]) -> None:
    async def scene() -> None:
        a, b = make("a"), make("b")
        a.clock.advance(3600)
        await a.join()
        assert a.engine.leads, "there is no other"
        await b.join()
        await a.membership.tick()
        await b.membership.tick()
        assert (a.engine.leads, b.engine.leads) == (False, True)
        assert "s ahead of the database's" in a.engine.vitals.notes["clock"]
        await a.membership.tick()
        assert not a.engine.leads

    play(scene())


class Counting:
    """A loop that would plan; with `fails` somebody else has begun to."""

    name: LoopName = "scheduler"

    def __init__(self) -> None:
        self.passes, self.fails = 0, False

    async def tick(self) -> Tick:
        self.passes += 1
        if self.fails:
            raise Deposed
        return Tick()


def test_a_loop_that_plans_rests_where_another_server_does(make: Callable[[str], Server]) -> None:
    async def scene() -> None:
        server, loop, rested = make("a"), Counting(), list[int]()
        server.clock.stop()
        shared = SharedLoop(loop, server.engine, is_led=True, on_rest=lambda: rested.append(1))
        await shared.tick()
        assert (loop.passes, len(rested)) == (0, 1)
        await server.join()
        assert (await shared.tick()).next_at is None
        server.seat.others = 1
        assert (await shared.tick()).next_at == server.clock.now() + LOOK_AGAIN
        loop.fails = True
        await shared.tick()
        assert (loop.passes, len(rested), server.engine.leads) == (3, 2, False)

    play(scene())


def test_notices_and_wakes_reach_the_other_servers(make: Callable[[str], Server], postgres_url: str) -> None:
    async def scene() -> None:
        a, b = make("a"), make("b")
        await a.join()
        await b.join()
        await a.membership.tick()
        a.bus.outward = a.relay
        run = await a.database.write(lambda c: add_running(c, a.engine.node))
        with psycopg.connect(postgres_url, autocommit=True) as ear, b.bus.watch() as watcher:
            ear.execute(f"LISTEN rota_{SCHEMA}")
            for _ in range(300):
                a.bus.publish("run.started", {"run": run, "owner_id": None, "task_id": run.task_id})
            a.bus.publish("run.deleted", {"run_id": "gone", "owner_id": None})
            a.bus.publish("system.sample", {"sample": 1})
            log_name = LogName("work", run.created_at, run.id)
            a.bus.tell_others(LOG_GONE, {"name": msgspec.to_builtins(log_name)})
            a.bus.wake("settler")
            a.bus.wake("dispatcher")
            a.bus.wake("scheduler")  # it plans itself
            bringing = asyncio.create_task(b.relay.bring_in())
            heard: list[str] = []
            while len(heard) < 301:
                for told in await asyncio.to_thread(lambda: list(ear.notifies(timeout=0.2, stop_after=1))):
                    a.relay.hear(told.payload)  # our own words mean nothing to us
                    b.relay.hear(told.payload)
                heard += await kinds_of(watcher, run)
            bringing.cancel()
        assert heard == ["run.started"] * 300 + ["run.deleted"]
        assert (b.called, b.gone) == (["dispatcher"], [log_name])
        assert b.bus.signal("dispatcher").is_set() and not b.bus.signal("scheduler").is_set()

    play(scene())


def test_the_others_are_told_that_something_did_not_get_through_to_them(
    make: Callable[[str], Server], postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "AGAIN_S", 0.01)

    async def scene() -> None:
        a, b = make("a"), make("b")
        await a.join()
        await b.join()
        await a.membership.tick()
        a.bus.outward = a.relay
        with psycopg.connect(postgres_url, autocommit=True) as ear, b.bus.watch() as watcher:
            ear.execute(f"LISTEN rota_{SCHEMA}")
            await a.beside.write(lambda c: c.run("SET search_path TO nowhere"))  # so that it knows no channel
            a.bus.publish("run.deleted", {"run_id": "1", "owner_id": None})
            await asyncio.sleep(0.1)
            await a.beside.write(lambda c: c.run(f"SET search_path TO {SCHEMA}"))
            bringing = asyncio.create_task(b.relay.bring_in())
            [told] = await asyncio.to_thread(lambda: list(ear.notifies(timeout=5, stop_after=1)))
            b.relay.hear(told.payload)
            b.relay.hear('{"node": 7}')  # of another version
            await asyncio.sleep(0)
            bringing.cancel()
        assert watcher.lost == 2
        assert set(b.called) == relay.CALLED, "everybody looks for himself"

    play(scene())


def test_no_node_fills_up_while_another_idles(make: Callable[[str], Server]) -> None:
    async def scene() -> None:
        a, b = make("a"), make("b")
        a.clock.stop()
        await a.join()
        task = make_task(spec=spec(name="work", policy=Policy(max_concurrent=50)))

        async def add(count: int) -> None:
            new = [make_new_run(task, due_at=a.clock.now()) for _ in range(count)]
            await a.database.write(lambda c: runs.insert_runs(c, new))

        async def taken() -> list[int]:
            count = await a.database.read(admission.count_taken_by_holder)
            return [count.get(server.engine.node, 0) for server in (a, b)]

        await a.database.write(lambda c: tasks.insert_task(c, task))
        await add(2)
        await a.dispatcher.tick()
        assert await taken() == [2, 0], "alone, it takes all at once"
        await b.join()
        await a.membership.tick()
        await add(8)
        looked = await a.dispatcher.tick()
        assert await taken() == [7, 0]
        assert looked.next_at is not None and looked.next_at - a.clock.now() <= PATIENCE
        await b.dispatcher.tick()
        assert await taken() == [7, 3]
        await add(6)
        await a.dispatcher.tick()
        assert await taken() == [10, 3]
        a.clock.advance(1)
        await a.dispatcher.tick()
        assert await taken() == [13, 3], "nobody came for them"

    play(scene())


def test_who_comes_to_lead_knows_for_how_long_nobody_did(make: Callable[[str], Server]) -> None:
    async def scene() -> None:
        a, b = make("a"), make("b")
        await a.join()
        await b.join()
        await a.beside.write(lambda c: c.run("UPDATE leadership SET expires_at = expires_at - 12000000"))
        await b.membership.tick()
        [lead] = b.taken
        assert timedelta(seconds=3) < lead.vacant < timedelta(seconds=10)
        with pytest.raises(Deposed):
            await a.engine.write_led(lambda c: leadership.find_lead(c))
        await a.membership.tick()
        assert not a.engine.leads

    play(scene())


def test_watchers_are_told_when_notices_of_others_may_be_missing() -> None:
    bus = Bus("e")
    bus.publish("one", {})
    with bus.watch() as watcher:
        bus.miss()
        assert watcher.lost == 1
    bus.publish("two", {})
    assert [bus.watch(after).gap for after in ("e-0", "e-1", "e-2")] == [True, False, False]


def test_what_was_taken_before_a_long_pause_is_not_started(make: Callable[[str], Server]) -> None:
    async def scene() -> None:
        a = make("a")
        await a.join()
        began_s = a.steady_s
        assert not a.seat.was_held_up(began_s)
        a.steady_s += HOLD_S + 1
        assert not a.seat.was_held_up(began_s), "alone, nobody can have taken it"
        a.seat.promise = a.seat.silence
        assert a.seat.was_held_up(began_s)
        assert a.seat.was_held_up(a.steady_s)

    play(scene())


def test_nodes_of_one_name_and_other_tasks_are_told(make: Callable[[str], Server]) -> None:
    async def scene() -> None:
        a, b = make("a"), make("b")
        b.seat.node = Node(id=b.engine.node, name="a", place="b")
        await a.join()
        await b.join()
        await b.database.write(lambda c: nodes.beat(c, b.engine.node, 0, "other"))
        await a.membership.tick()
        assert sorted(a.engine.vitals.notes) == ["node", "settings"]
        await b.membership.leave()
        await a.membership.tick()
        assert a.engine.vitals.notes == {}

    play(scene())

"""Two servers in one process: what one writes the other reads, and goes on with."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.factories import NOON, make_new_run, make_task

from rota.blobs import LocalBlobs
from rota.clock import SystemClock
from rota.core.errors import Conflict
from rota.core.policy import LogLimit
from rota.core.run import Run
from rota.logs import LogName, LogWriter, RunLogs
from rota.runners import LogGrowth
from rota.runners.copies.appender import Appender
from rota.runners.copies.desk import Desk
from rota.runners.copies.handover import Handover
from rota.runners.copies.keeping import keep_logs
from rota.runners.copies.known import Here
from rota.runners.copies.mirror import Mirror
from rota.runners.copies.teller import Teller
from rota.store import admission, nodes, runs, settlement, sharedlogs, tasks
from rota.store.database import Database, open_sqlite
from rota.store.nodes import Node
from rota.store.settlement import Settlement

TASK = make_task(name="work")
BAR = b"\r 10%\r 20%"


class Server:
    """With a folder of logs; `peers` are those that hear it ask."""

    def __init__(self, database: Database, folder: Path, name: str, peers: list["Server"]) -> None:
        self.database, self.folder, self.name, self.peers = database, folder, name, peers
        self.blobs = LocalBlobs(folder.parent / "blobs", database, SystemClock())
        peers.append(self)
        database.run(lambda c: nodes.insert_node(c, Node(id=name, name=name, place=f"place of {name}")))
        self.start()

    def start(self) -> None:
        self.logs, self.growth = RunLogs(self.folder), LogGrowth()
        here = Here(f"place of {self.name}", frozenset({self.name}), lambda: len(self.peers) > 1, self._ask)
        mirror = Mirror(self.database, self.logs, self.blobs)
        self.teller = Teller(self.database, self.logs, self.growth, here.place, here.has_others)
        self.desk = Desk(self.database, self.logs, self.growth, mirror, here)
        self.handover = Handover(self.database, self.logs, mirror, self.teller, here)
        self.appender = Appender(self.database, self.logs, mirror, self.handover, here)
        self.growth.listener = self.teller.grown
        self.asked: list[asyncio.Task[None]] = []

    def die(self) -> None:
        self.peers.remove(self)
        self.database.run(lambda c: nodes.delete_nodes(c, [self.name]))

    def claim(self, run: Run) -> Run:
        [claimed] = self.database.run(lambda c: admission.claim_direct(c, [run.id], self.name, NOON, node=self.name))
        return claimed

    async def write(self, run: Run, limit: LogLimit | None = None) -> LogWriter:
        await self.handover.prepare(run, TASK.name)
        writer = self.logs.writer(name_of(run), limit or LogLimit(), on_growth=lambda: self.growth.notify(run.id))
        self.growth.begin(run.id, writer.live_regions, writer.begun_line)
        return writer

    def end(self, run: Run, writer: LogWriter, *, for_good: bool = True) -> None:
        self.growth.end(run.id)
        (writer.finalize if for_good else writer.close)(9000)
        self.handover.end(run.id)
        if for_good:
            settled = Settlement(run_id=run.id, fence=run.fence, state="succeeded", ended_at=NOON)
            self.database.run(lambda c: settlement.settle(c, [settled]))

    def try_again(self, run: Run) -> None:
        again = "UPDATE runs SET state = 'pending', admission = 'new', holder = NULL WHERE id = ?"
        self.database.run(lambda c: c.run(again, (run.id,)))

    async def texts(self, run: Run) -> list[str]:
        """As whoever asks here reads them."""
        now = await self.database.read(lambda c: runs.get_run(c, run.id))
        refused = await self.desk.have([(now, TASK.name)])
        if run.id in refused:
            raise refused[run.id]
        return [line.text for line in self.logs.reader(name_of(run)).page(0, 1000).lines]

    async def growth_of(self, run: Run, is_enough: Callable[[], bool]) -> None:
        """Until those who follow the run here have been told enough."""
        with self.growth.following(run.id) as growth:
            while not is_enough():
                await growth.wait()

    async def append(self, run: Run, text: str) -> None:
        await self.appender.append(run, TASK.name, LogLimit(), "stdout", f"{text}\n".encode(), 5)

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def _ask(self, name: LogName) -> None:
        for peer in self.peers:
            if peer is not self:
                self.asked.append(asyncio.create_task(answer(peer, name)))


async def answer(server: Server, name: LogName) -> None:
    await server.handover.hear_wanted(name)
    await server.teller.tell_all()


def name_of(run: Run) -> LogName:
    return LogName(TASK.name, run.created_at, run.id)


@pytest.fixture
def database() -> Iterator[Database]:
    with closing(open_sqlite(":memory:", threads=False)) as database:
        database.run(lambda c: tasks.insert_task(c, TASK))
        yield database


@pytest.fixture
def run(database: Database) -> Run:
    new = make_new_run(TASK)
    database.run(lambda c: runs.insert_runs(c, [new]))
    return new.run


Act = Callable[[Server, Server], Coroutine[Any, Any, None]]


@pytest.fixture
def play(database: Database, tmp_path: Path) -> Callable[[Act], None]:
    def play(act: Act) -> None:
        async def main() -> None:
            peers: list[Server] = []
            await act(*(Server(database, tmp_path / name, name, peers) for name in "ab"))

        asyncio.run(main())

    return play


@pytest.mark.parametrize("max_size", [100_000, 300])
def test_a_log_is_read_on_another_server_while_it_grows_and_is_the_same_byte_for_byte(
    play: Callable[[Act], None], run: Run, max_size: int
) -> None:
    async def act(a: Server, b: Server) -> None:
        claimed = a.claim(run)
        writer = await a.write(claimed, LogLimit(max_size=max_size))
        for number in range(60):
            line = f"line {number}\n".encode() if number % 7 else BAR + b" 30%\n"
            writer.write("stdout" if number % 3 else "stderr", line, 1000 + number // 2)
            if number % 5 == 0:
                await a.teller.tell_all()
                assert (await b.texts(claimed))[-1] == a.logs.reader(name_of(run)).page(-1, 1).lines[0].text
        a.end(claimed, writer)
        await a.teller.tell_all()
        await b.texts(claimed)
        assert b.files() == a.files()
        assert any(name.endswith(".frames") for name in a.files())
        assert b.logs.reader(name_of(run)).page(0, 0).finalized

    play(act)


def test_what_is_not_a_line_yet_is_seen_by_those_who_follow_elsewhere(play: Callable[[Act], None], run: Run) -> None:
    async def act(a: Server, b: Server) -> None:
        claimed = a.claim(run)
        writer = await a.write(claimed)
        with b.growth.following(run.id):
            await b.texts(claimed)
            following = asyncio.create_task(b.desk.keep_following())
            writer.write("stdout", b"begun", 1)
            writer.write("stderr", BAR, 1)
            await a.teller.tell_all()
            await b.growth_of(run, lambda: bool(b.growth.regions(run.id)))
            assert (b.growth.begun_line(run.id), b.growth.regions(run.id)[0].rows) == ("begun", [" 20%"])
            a.end(claimed, writer)
            await a.teller.tell_all()
            await b.growth_of(run, lambda: not b.growth.regions(run.id))
            assert b.growth.begun_line(run.id) == ""
            following.cancel()
        assert sorted(await b.texts(claimed)) == [" 20%", "begun"]

    play(act)


def test_the_next_attempt_goes_on_with_the_log_on_another_server_and_the_first_writes_it_no_more(
    play: Callable[[Act], None], run: Run
) -> None:
    async def act(a: Server, b: Server) -> None:
        first = a.claim(run)
        writer = await a.write(first)
        writer.write("stdout", b"one\n", 1)
        a.end(first, writer, for_good=False)
        a.try_again(run)
        second = b.claim(run)
        writer = await b.write(second)
        writer.write("stdout", b"two\n", 2)
        b.end(second, writer)
        await b.teller.tell_all()
        assert await a.texts(second) == await b.texts(second) == ["one", "two"]
        assert a.files() == b.files()

    play(act)


def test_what_was_told_is_gone_on_with_after_a_restart_and_not_told_twice(play: Callable[[Act], None], run: Run) -> None:
    async def act(a: Server, b: Server) -> None:
        claimed = a.claim(run)
        writer = await a.write(claimed)
        writer.write("stdout", b"one\n" * 1000, 1)
        await a.teller.tell_all()
        writer.write("stdout", b"two\n", 2)
        a.growth.end(run.id)
        a.start()  # and what it had not told is in its files alone
        settled = Settlement(run_id=run.id, fence=claimed.fence, state="crashed", ended_at=NOON)
        a.database.run(lambda c: settlement.settle(c, [settled]))
        assert (await b.texts(claimed))[-1] == "one"
        again = await a.database.read(lambda c: runs.get_run(c, run.id))
        while b.logs.reader(name_of(run)).page(0, 0).total_lines < 1001:
            await b.desk.have([(again, TASK.name)])
        sizes = a.database.run(lambda c: c.rows("SELECT length(data) FROM log_chunks WHERE file = 'data' ORDER BY seq"))
        assert [size[0] for size in sizes] == [5336, 8]
        writer.close(3)

    play(act)


def test_a_log_from_before_there_were_others_is_told_when_it_is_asked_for(play: Callable[[Act], None], run: Run) -> None:
    async def act(a: Server, b: Server) -> None:
        a.peers.remove(b)
        claimed = a.claim(run)
        writer = await a.write(claimed, LogLimit(max_size=300))
        for number in range(60):
            writer.write("stdout", f"line {number}\n".encode(), 1)
        a.end(claimed, writer)
        await a.teller.tell_all()
        assert a.database.run(lambda c: sharedlogs.find_shared_logs(c, [run.id])) == {}
        a.peers.append(b)
        assert (await b.texts(claimed))[-1] == "line 59"
        assert b.files() == a.files()

    play(act)


def test_a_server_that_is_alone_tells_nothing_of_a_run_that_is_tried_again_until_it_is_asked(
    play: Callable[[Act], None], run: Run
) -> None:
    async def act(a: Server, b: Server) -> None:
        a.peers.remove(b)
        for text, is_last in (("one", False), ("two", True)):
            claimed = a.claim(run)
            writer = await a.write(claimed)
            writer.write("stdout", f"{text}\n".encode(), 1)
            a.end(claimed, writer, for_good=is_last)
            if not is_last:
                a.try_again(run)
        await a.teller.tell_all()
        assert a.database.run(lambda c: sharedlogs.find_shared_logs(c, [run.id])) == {}
        a.peers.append(b)
        assert await b.texts(claimed) == ["one", "two"]

    play(act)


def test_a_log_that_cannot_be_read_holds_up_no_other_and_is_told_when_it_can(play: Callable[[Act], None], run: Run) -> None:
    async def act(a: Server, b: Server) -> None:
        other = make_new_run(TASK)
        a.database.run(lambda c: runs.insert_runs(c, [other]))
        for each in (a.claim(run), a.claim(other.run)):
            writer = await a.write(each)
            writer.write("stdout", b"one\n", 1)
            a.end(each, writer)
        file = a.logs.paths(name_of(run)).current.data
        file.rename(file.with_suffix(".aside"))
        file.mkdir()
        await a.teller.tell_all()
        find_told = partial(sharedlogs.find_shared_logs, run_ids=[run.id, other.run.id])
        assert set(a.database.run(find_told)) == {other.run.id}
        file.rmdir()
        file.with_suffix(".aside").rename(file)
        await a.teller.tell_all()
        assert set(a.database.run(find_told)) == {run.id, other.run.id}
        assert await b.texts(run) == ["one"]

    play(act)


def test_a_run_that_says_nothing_has_an_empty_log_everywhere(play: Callable[[Act], None], run: Run) -> None:
    async def act(a: Server, b: Server) -> None:
        claimed = a.claim(run)
        writer = await a.write(claimed)
        assert await b.texts(claimed) == []
        a.end(claimed, writer)
        await a.teller.tell_all()
        a.die()
        assert await b.texts(claimed) == []

    play(act)


def test_what_a_server_has_told_outlives_it_and_what_it_has_not_is_said_to_be_there(
    play: Callable[[Act], None], run: Run
) -> None:
    async def act(a: Server, b: Server) -> None:
        other = make_new_run(TASK)
        a.database.run(lambda c: runs.insert_runs(c, [other]))
        told, untold = a.claim(run), a.claim(other.run)
        writer = await a.write(told)
        writer.write("stdout", b"one\n", 1)
        await a.teller.tell_all()
        a.peers.remove(b)
        lone = await a.write(untold)
        lone.write("stdout", b"one\n", 1)
        a.die()
        assert await b.texts(told) == ["one"]
        with pytest.raises(Conflict, match="on the node a, which is not there"):
            await b.texts(untold)
        for each in (writer, lone):
            each.close(2)

    play(act)


def test_an_ended_log_lies_in_the_store_of_objects_and_is_read_from_there(play: Callable[[Act], None], run: Run) -> None:
    async def act(a: Server, b: Server) -> None:
        claimed = a.claim(run)
        writer = await a.write(claimed)
        for number in range(3000):
            writer.write("stdout", f"line {number}\n".encode(), number)
        a.end(claimed, writer)
        await a.teller.tell_all()
        assert await keep_logs(a.database, a.blobs, a.database.write, most_bytes=20_000) == 1
        assert a.database.run(lambda c: c.rows("SELECT count(*) FROM log_chunks"))[0][0] == 0
        assert len(a.database.run(lambda c: sharedlogs.list_objects(c, run.id))) > 1
        assert (await b.texts(claimed))[0] == "line 0"
        assert b.files() == a.files()
        assert await keep_logs(a.database, a.blobs, a.database.write) == 0

    play(act)


def test_a_fence_that_is_not_the_runs_takes_no_log_over(play: Callable[[Act], None], run: Run) -> None:
    async def act(a: Server, b: Server) -> None:
        claimed = a.claim(run)
        writer = await a.write(claimed)
        writer.write("stdout", b"one\n", 1)
        await a.teller.tell_all()
        await b.handover.prepare(replace(claimed, fence=claimed.fence + 1), TASK.name)
        found = a.database.run(lambda c: sharedlogs.find_shared_logs(c, [run.id]))
        assert found[run.id].writer == "place of a"
        writer.close(2)

    play(act)


def test_lines_of_one_log_come_in_at_any_server_and_all_of_them_stay(play: Callable[[Act], None], run: Run) -> None:
    async def act(a: Server, b: Server) -> None:
        a.database.run(lambda c: c.run("UPDATE runs SET state = 'running', holder = 'worker:w' WHERE id = ?", (run.id,)))
        held = await a.database.read(lambda c: runs.get_run(c, run.id))
        for number in range(6):
            await (a, b)[number % 2].append(held, f"turn {number}")
        await asyncio.gather(*((a, b)[number % 2].append(held, f"race {number}") for number in range(6)))
        texts = await a.texts(held)
        assert texts[:6] == [f"turn {number}" for number in range(6)]
        assert sorted(texts[6:]) == [f"race {number}" for number in range(6)]
        assert await b.texts(held) == texts
        assert a.files() == b.files()

    play(act)


def test_nothing_is_added_to_the_log_of_a_run_that_another_server_carries_out(play: Callable[[Act], None], run: Run) -> None:
    async def act(a: Server, b: Server) -> None:
        claimed = a.claim(run)
        writer = await a.write(claimed)
        writer.write("stdout", b"one\n", 1)
        await a.teller.tell_all()
        with pytest.raises(Conflict, match="another machine carries this run out"):
            await b.append(claimed, "two")
        await a.append(claimed, "two")
        a.end(claimed, writer)
        await a.teller.tell_all()
        over = await b.database.read(lambda c: runs.get_run(c, run.id))
        await b.append(over, "after")
        assert await a.texts(claimed) == await b.texts(claimed) == ["one", "two", "after"]
        assert a.logs.reader(name_of(run)).page(0, 0).finalized

    play(act)

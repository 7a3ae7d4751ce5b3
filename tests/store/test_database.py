import asyncio
from collections.abc import Coroutine
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from rota.core.errors import Conflict, NotFound, Unavailable
from rota.store.connection import Connection, Work
from rota.store.database import Database, open_database, open_sqlite

T = TypeVar("T")


def go(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def add(name: str) -> Work[str]:
    def fn(c: Connection) -> str:
        c.run("INSERT INTO settings (name, value) VALUES (?, '')", (name,))
        return name

    return fn


def fail_after_adding(name: str) -> Work[str]:
    def fn(c: Connection) -> str:
        add(name)(c)
        raise NotFound(name)

    return fn


def names(c: Connection) -> set[str]:
    return {row[0] for row in c.rows("SELECT name FROM settings")}


def test_a_write_is_seen_by_the_next_read(database: Database) -> None:
    async def work() -> set[str]:
        assert await database.write(add("a")) == "a"
        return await database.read(names)

    assert go(work()) == {"a"}


def test_a_failing_function_is_undone_alone(database: Database) -> None:
    async def work() -> list[Any]:
        calls = [fail_after_adding(f"{i}") if i % 3 == 0 else add(f"{i}") for i in range(30)]
        return await asyncio.gather(*map(database.write, calls), return_exceptions=True)

    results = go(work())
    assert [isinstance(result, NotFound) for result in results] == [i % 3 == 0 for i in range(30)]
    assert database.run(names, write=False) == {f"{i}" for i in range(30) if i % 3}


def test_a_lone_failing_function_is_undone(database: Database) -> None:
    with pytest.raises(NotFound):
        go(database.write(fail_after_adding("a")))
    assert database.run(names) == set()


def test_a_statement_that_fails_leaves_its_companions_whole(database: Database) -> None:
    async def work() -> list[Any]:
        return await asyncio.gather(*map(database.write, [add("a"), add("a"), add("b")]), return_exceptions=True)

    first, second, third = go(work())
    assert (first, third) == ("a", "b")
    assert isinstance(second, Conflict)
    assert database.run(names) == {"a", "b"}


def test_a_function_runs_once_even_if_another_fails(database: Database) -> None:
    ran = []

    def note(c: Connection) -> None:
        ran.append(add("a")(c))

    async def work() -> None:
        await asyncio.gather(database.write(note), database.write(fail_after_adding("b")), return_exceptions=True)

    go(work())
    assert ran == ["a"]


def test_a_cancelled_caller_does_not_disturb_the_others(database: Database) -> None:
    async def work() -> list[Any]:
        calls = [asyncio.ensure_future(database.write(add(f"{i}"))) for i in range(10)]
        await asyncio.sleep(0)
        calls[4].cancel()
        return await asyncio.gather(*calls, return_exceptions=True)

    results = go(work())
    assert isinstance(results.pop(4), asyncio.CancelledError)
    assert results == [f"{i}" for i in range(10) if i != 4]
    assert go(database.write(names)) == {f"{i}" for i in range(10)}


def test_a_caller_whose_loop_is_gone_does_not_disturb_the_writer(database: Database) -> None:
    async def leave() -> None:
        waiting = asyncio.ensure_future(database.write(add("a")))
        await asyncio.sleep(0)
        waiting.cancel()

    go(leave())
    assert go(database.write(add("b"))) == "b"
    assert database.run(names) == {"a", "b"}


def test_stop_iteration_from_a_function_reaches_its_caller_as_an_error(database: Database) -> None:
    async def work() -> list[Any]:
        calls: list[Work[Any]] = [lambda c: next(iter(())), add("a")]
        return await asyncio.gather(*map(database.write, calls), return_exceptions=True)

    first, second = go(work())
    assert isinstance(first, RuntimeError)
    assert second == "a"


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(Exception, match=r"read-only|readonly|cannot be written|cannot write"):
        go(database.read(add("a")))
    assert go(database.read(names)) == set()
    assert database.healthy


def test_a_read_sees_one_state_throughout(database: Database) -> None:
    def look_twice(c: Connection) -> tuple[set[str], set[str]]:
        first = names(c)
        database.run(add("b"))
        return first, names(c)

    database.run(add("a"))
    assert go(database.read(look_twice)) == ({"a"}, {"a"})
    assert go(database.read(names)) == {"a", "b"}


def test_an_error_in_a_read_reaches_its_caller_and_frees_the_reader(database: Database) -> None:
    def fail(c: Connection) -> None:
        raise NotFound("nothing")

    for _ in range(20):
        with pytest.raises(NotFound):
            go(database.read(fail))
    assert go(database.read(names)) == set()


def test_writes_keep_the_order_in_which_they_were_sent(database: Database) -> None:
    ran: list[int] = []

    def note(i: int, c: Connection) -> None:
        ran.append(i)

    async def work() -> None:
        await asyncio.gather(*[database.write(partial(note, i)) for i in range(100)])

    go(work())
    assert ran == list(range(100))


def test_a_database_in_memory_serves_reads_and_writes() -> None:
    with closing(open_sqlite(":memory:")) as database:
        assert go(database.write(add("a"))) == "a"
        assert go(database.read(names)) == {"a"}


def test_without_threads_every_call_is_done_when_it_returns() -> None:
    with closing(open_sqlite(":memory:", threads=False)) as database:
        call = database.write(add("a"))
        with pytest.raises(StopIteration) as ended:
            call.send(None)
        assert ended.value.value == "a"
        with pytest.raises(NotFound):
            database.run(fail_after_adding("b"))
        assert database.run(names, write=False) == {"a"}


@pytest.mark.parametrize("threads", [True, False])
def test_a_closed_database_says_so(tmp_path: Path, threads: bool) -> None:
    database = open_sqlite(tmp_path / "rota.db", threads=threads)
    database.close()
    with pytest.raises(Unavailable, match="closed"):
        database.run(add("a"))


def test_closing_finishes_what_waits(tmp_path: Path) -> None:
    async def work() -> list[str]:
        database = open_sqlite(tmp_path / "rota.db")
        calls = [asyncio.ensure_future(database.write(add(f"{i}"))) for i in range(50)]
        await asyncio.sleep(0)
        database.close()
        return await asyncio.gather(*calls)

    assert len(go(work())) == 50
    with closing(open_sqlite(tmp_path / "rota.db")) as database:
        assert len(database.run(names)) == 50


def test_a_url_or_a_path_opens_the_database_it_names(tmp_path: Path, postgres_url: str) -> None:
    for where in (tmp_path / "a.db", f"sqlite:///{tmp_path}/b.db", postgres_url):
        with closing(open_database(where)) as database:
            assert database.run(lambda c: c.dialect) == ("postgres" if where == postgres_url else "sqlite")
    assert (tmp_path / "b.db").exists()

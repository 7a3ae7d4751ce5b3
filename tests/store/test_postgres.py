import asyncio
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from tests.postgres_server import Server, run_server

from rota.core.errors import Conflict, Invalid, Unavailable
from rota.store import postgres
from rota.store.connection import Connection, InDoubt
from rota.store.database import Database, open_postgres
from rota.store.postgres import Use

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server that the tests here may stop."""
    with run_server() as server:
        yield server


@pytest.fixture
def own_database(own_server: Server) -> Iterator[Database]:
    with closing(open_postgres(own_server.url, schema="own")) as database:
        yield database
        database.run(lambda c: c.run("DELETE FROM settings"))


def store(name: str) -> Any:
    return lambda c: c.run("INSERT INTO settings (name, value) VALUES (?, '')", (name,))


def names(c: Connection) -> list[str]:
    return [row[0] for row in c.rows("SELECT name FROM settings ORDER BY name")]


def cut(c: Connection) -> None:
    """End this connection from the server's side, as a restart does."""
    c.rows("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_connection_lost_in_a_batch_fails_the_batch_and_is_replaced(own_database: Database) -> None:
    def lose(c: Connection) -> None:
        store("a")(c)
        cut(c)

    with pytest.raises(Unavailable):
        own_database.run(lose)
    assert not own_database.healthy
    own_database.run(store("b"))
    assert own_database.run(names) == ["b"]
    assert own_database.healthy


def test_all_callers_of_the_batch_in_flight_are_told(own_database: Database) -> None:
    async def work() -> list[Any]:
        calls = [store("a"), lambda c: None, cut, store("b")]
        return await asyncio.gather(*map(own_database.write, calls), return_exceptions=True)

    results = asyncio.run(work())
    lost = [isinstance(result, Unavailable) for result in results]
    stored = own_database.run(names)
    assert lost[2]
    assert ("a" in stored) == (not lost[0])
    assert ("b" in stored) == (not lost[3])


def test_a_connection_lost_while_idle_costs_nobody_anything(own_database: Database, own_server: Server) -> None:
    own_database.run(store("a"))
    assert own_database.run(names, write=False) == ["a"]
    own_server.stop()
    own_server.start()
    assert own_database.run(names, write=False) == ["a"]
    own_database.run(store("b"))
    assert own_database.run(names) == ["a", "b"]


def test_while_the_server_is_away_callers_are_told_and_later_served(
    own_database: Database, own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rota.store.writer.RECONNECT_WAITS_S", (0.01, 0.02))
    own_server.stop()
    try:
        with pytest.raises(Unavailable, match="does not answer"):
            own_database.run(store("a"))
        with pytest.raises(Unavailable, match="does not answer"):
            own_database.run(names, write=False)
        assert not own_database.healthy
    finally:
        own_server.start()
    own_database.run(store("a"))
    assert own_database.healthy


def test_a_full_disk_of_the_server_is_told_and_passes(own_database: Database) -> None:
    with pytest.raises(Unavailable, match="cannot write now"):
        own_database.run(lambda c: c.run("DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = 'disk_full'; END $$"))
    assert own_database.problem is not None and "no space" in own_database.problem
    own_database.run(names)
    assert not own_database.healthy  # reading proved nothing
    own_database.run(store("a"))
    assert own_database.healthy


def test_closing_does_not_wait_for_a_server_that_is_away(own_server: Server) -> None:
    database = open_postgres(own_server.url, schema="own")
    own_server.stop()
    try:
        database.close()
    finally:
        own_server.start()


def test_a_text_that_postgres_cannot_hold_is_the_askers_fault(own_database: Database) -> None:
    with pytest.raises(Invalid):
        own_database.run(store("nul\0"))


def test_schemas_keep_databases_apart(own_server: Server) -> None:
    with (
        closing(open_postgres(own_server.url, schema="one")) as one,
        closing(open_postgres(own_server.url, schema='o"dd')) as two,
    ):
        one.run(store("a"))
        assert two.run(names) == []


def test_a_wrong_url_is_told_with_a_hint() -> None:
    with pytest.raises(Unavailable, match="does not answer") as caught:
        open_postgres("postgresql://nobody@127.0.0.1:1/nothing")
    assert caught.value.hint is not None


def test_without_psycopg_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Unavailable) as caught:
        open_postgres("postgresql://localhost/rota")
    assert caught.value.hint is not None and "rota[postgres]" in caught.value.hint


def test_any_number_may_serve_a_database_that_nobody_replaces(own_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "LOCK_TRIES", 2)
    monkeypatch.setattr(postgres, "LOCK_PAUSE_S", 0.01)

    def use(how: Use) -> Database:
        return open_postgres(own_server.url, schema="own", use=how)

    with closing(use("serve")) as first, closing(use("serve")) as second:
        first.run(store("a"))
        assert second.run(names) == ["a"]
        with pytest.raises(Conflict, match="a server runs on this database"):
            use("replace")
        second.close()
        with pytest.raises(Unavailable):
            first.run(cut)
        with closing(use("replace")), pytest.raises(Conflict):  # while it was cut off, somebody began to replace it
            first.run(store("b"))
        with closing(use("replace")), pytest.raises(Conflict, match="is being replaced"):
            use("serve")
        first.run(lambda c: c.run("DELETE FROM settings"))


def test_a_server_that_is_frozen_in_a_transaction_holds_nobody_up_for_long(own_server: Server) -> None:
    with closing(open_postgres(own_server.url, schema="own", use="serve")) as database:
        [[limit]] = database.run(lambda c: c.rows("SHOW idle_in_transaction_session_timeout"))
        assert limit == "3s"


def test_who_acts_on_a_write_is_told_when_its_writer_does_not_know_whether_it_was_made(own_database: Database) -> None:
    told = list[str]()
    own_database.on_doubt = lambda: told.append("look")

    async def work() -> None:
        with pytest.raises(InDoubt):
            await own_database.write(cut)
        with pytest.raises(ZeroDivisionError):
            await own_database.write(lambda _c: 1 / 0)
        await own_database.write(store("a"))

    asyncio.run(work())
    assert told == ["look"]

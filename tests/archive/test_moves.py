"""Moves from SQLite to PostgreSQL: whole, resumable, verified."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.store.filled import fill

from rota.archive import move
from rota.core.errors import Conflict, Unavailable
from rota.store import copying, settings
from rota.store.connection import Connection
from rota.store.copying import Digest
from rota.store.database import Database, open_postgres, open_sqlite
from rota.store.moved import MOVE, forget_move, refuse_moved, refuse_unusable

pytestmark = pytest.mark.e2e

URL = "postgresql://ann:secret@db.example.org/rota"


class Killed(Exception):
    """Stands for kill -9 between two transactions."""


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Database]:
    with closing(open_sqlite(tmp_path / "rota.db")) as database:
        database.run(fill)
        yield database


@pytest.fixture
def target(new_postgres: str) -> Iterator[Database]:
    with closing(open_postgres(new_postgres)) as database:
        yield database


def digests(database: Database) -> dict[str, Digest]:
    """Of all but the names of nodes, which one server alone has none of."""

    def read(c: Connection) -> dict[str, Digest]:
        tables = {table: copying.columns_of(table) for table in copying.copied_tables()}
        tables["runs"].remove("node")
        return {table: copying.digest(c, table, columns) for table, columns in tables.items()}

    return database.run(read, write=False)


def dying_each(pages: int, told: list[str]) -> Callable[[str, int], None]:
    def die(table: str, _rows: int) -> None:
        told.append(table)
        if len(told) % pages == 0:
            raise Killed

    return die


def test_everything_is_there_afterwards_and_the_source_is_marked(source: Database, target: Database) -> None:
    before = digests(source)
    assert move(source, target, URL, "here").tables == before
    assert digests(target) == before
    target.run(refuse_unusable)
    with pytest.raises(Conflict, match=r"moved to db\.example\.org/rota$"):
        source.run(refuse_moved)
    assert source.run(forget_move)
    source.run(refuse_moved)


def test_the_others_are_told_which_node_has_the_logs(source: Database, target: Database) -> None:
    move(source, target, URL, "here")
    named = target.run(lambda c: c.rows("SELECT node, started_at IS NULL FROM runs ORDER BY id"))
    assert named == [("here", False), ("here", False), (None, True)]


def test_a_move_goes_on_where_it_was_killed(source: Database, target: Database) -> None:
    before, pages = digests(source), list[str]()
    for _ in range(20):
        try:
            move(source, target, URL, "here", dying_each(7, pages))
            break
        except Killed:
            with pytest.raises(Conflict, match="is not finished"):
                target.run(refuse_unusable)
            source.run(refuse_unusable)
    assert digests(target) == before
    assert len(pages) == len(set(pages))


def test_one_that_was_killed_before_the_source_knew_is_only_told(source: Database, target: Database) -> None:
    move(source, target, URL, "here")
    source.run(forget_move)
    pages = list[str]()
    move(source, target, URL, "here", lambda table, _rows: pages.append(table))
    assert pages == []
    with pytest.raises(Conflict):
        source.run(refuse_moved)


def test_a_source_that_has_changed_between_two_tries_is_moved_anew(source: Database, target: Database) -> None:
    with pytest.raises(Killed):
        move(source, target, URL, "here", dying_each(20, []))
    source.run(lambda c: c.run("UPDATE users SET email = 'new'"))
    source.run(lambda c: c.run("DELETE FROM settings"))
    before = digests(source)
    assert move(source, target, URL, "here").tables == before
    assert digests(target) == before


def test_other_data_is_left_alone(source: Database, target: Database) -> None:
    target.run(lambda c: c.run("INSERT INTO settings (name, value) VALUES ('a', 'b')"))
    before = digests(target)
    with pytest.raises(Conflict, match="holds data already"):
        move(source, target, URL, "here")
    assert digests(target) == before


def test_what_an_older_version_has_begun_is_left_alone(source: Database, target: Database) -> None:
    target.run(lambda c: settings.upsert_setting(c, MOVE, '{"table": "users"}'))
    with pytest.raises(Conflict, match="an older version has begun"):
        move(source, target, URL, "here")


def test_what_changed_on_the_way_is_noticed_and_put_right_by_the_next_try(source: Database, target: Database) -> None:
    def meddle(table: str, _rows: int) -> None:
        if table == "runs":
            target.run(lambda c: c.run("UPDATE users SET email = 'x'"))

    with pytest.raises(Unavailable, match=r"in users$"):
        move(source, target, URL, "here", meddle)
    source.run(refuse_moved)
    with pytest.raises(Conflict, match="is not finished"):
        target.run(refuse_unusable)
    move(source, target, URL, "here")
    assert digests(target) == digests(source) | {"settings": digests(target)["settings"]}


def test_nobody_writes_to_the_source_of_a_move(source: Database, target: Database, tmp_path: Path) -> None:
    """What came in between would be neither here nor there."""
    refused = list[str]()

    def add_setting(_table: str, _rows: int) -> None:
        with closing(sqlite3.connect(tmp_path / "rota.db", timeout=0)) as other:
            try:
                other.execute("INSERT INTO settings VALUES ('a', 'b')")
            except sqlite3.OperationalError as error:
                refused.append(str(error))

    move(source, target, URL, "here", add_setting)
    assert set(refused) == {"database is locked"}


def test_text_that_postgres_cannot_hold_does_not_stop_a_move(source: Database, target: Database) -> None:
    source.run(lambda c: c.run("UPDATE runs SET output = ?", ('a\0b \\u0000 "',)))
    move(source, target, URL, "here")
    assert target.run(lambda c: c.row("SELECT output FROM runs")) == ('a\ufffdb \\u0000 "',)

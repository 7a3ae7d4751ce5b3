"""All tables, read and written again as they are: on and between both databases."""

from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from tests.store.filled import fill

from rota.core.errors import Conflict, Invalid
from rota.store import copying, users
from rota.store.connection import Connection
from rota.store.database import Database, open_sqlite

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def other(tmp_path: Path):
    with closing(open_sqlite(tmp_path / "other.db")) as database:
        yield database


def write(c: Connection, page: copying.Page) -> None:
    copying.write_rows(c, page.table, page.columns, page.rows)


def copy(source: Database, target: Database, size: int = copying.PAGE) -> None:
    def read(c: Connection) -> None:
        for table in copying.copied_tables():
            for page in copying.read_pages(c, table, size=size):
                target.run(partial(write, page=page))
        counters = copying.read_counters(c)
        target.run(lambda t: copying.write_counters(t, counters))

    source.run(read, write=False)


def digests(database: Database) -> dict[str, copying.Digest]:
    return database.run(lambda c: {table: copying.digest(c, table) for table in copying.copied_tables()}, write=False)


@pytest.mark.parametrize("size", [1, 2, 5000])
def test_every_table_comes_over_as_it_is(database: Database, other: Database, size: int) -> None:
    database.run(fill)
    copy(database, other, size)
    assert digests(other) == digests(database)
    assert min(each.rows for each in digests(other).values()) >= 1


def test_every_table_has_a_key_and_its_parents_stand_before_it(database: Database) -> None:
    assert all(database.run(lambda c: [copying.key_of(c, table) for table in copying.copied_tables()]))


def test_numbers_go_on_behind_the_last_that_was_given(database: Database, other: Database) -> None:
    def add(c: Connection, name: str) -> int:
        return users.insert_user(c, id=f"0192f0c1-2d3e-7abc-8def-00000000000{name}", name=name, created_at=NOON).number

    before = database.run(lambda c: [add(c, name) for name in "123"])
    database.run(lambda c: c.run("DELETE FROM users WHERE name <> '1'"))
    copy(database, other)
    assert other.run(lambda c: add(c, "4")) == before[-1] + 1


def test_a_row_that_differs_is_seen(database: Database, other: Database) -> None:
    database.run(fill)
    copy(database, other)
    other.run(lambda c: c.run("UPDATE users SET email = 'other@example.org'"))
    assert {table for table, found in digests(other).items() if found != digests(database)[table]} == {"users"}


def test_only_an_empty_database_is_written_to(database: Database) -> None:
    database.run(copying.check_empty)
    database.run(fill)
    with pytest.raises(Conflict, match="holds data already"):
        database.run(copying.check_empty)


def test_what_a_newer_version_has_is_refused(database: Database) -> None:
    with pytest.raises(Invalid, match="not one of this version"):
        database.run(lambda c: copying.write_rows(c, "users", ["id", "shoe_size"], []))

"""Moves from SQLite to PostgreSQL: whole, resumable, verified."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.archive.test_backups import digests
from tests.store.filled import fill

from rota.archive import move
from rota.core.errors import Conflict, Unavailable
from rota.store.database import Database, open_postgres, open_sqlite
from rota.store.moved import forget_move, refuse_moved

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


def test_everything_is_there_afterwards_and_the_source_is_marked(source: Database, target: Database) -> None:
    before = digests(source)
    assert move(source, target, URL).tables == before
    assert digests(target) == before
    with pytest.raises(Conflict, match=r"moved to db\.example\.org/rota$"):
        source.run(refuse_moved)
    assert source.run(forget_move)
    source.run(refuse_moved)


def test_a_move_goes_on_where_it_was_killed(source: Database, target: Database) -> None:
    before, pages = digests(source), list[str]()

    def die(table: str, _rows: int) -> None:
        pages.append(table)
        if len(pages) % 7 == 0:
            raise Killed

    for _ in range(20):
        try:
            move(source, target, URL, die)
            break
        except Killed:
            continue
    assert digests(target) == before
    assert len(pages) == len(set(pages))


def test_one_that_was_killed_before_the_source_knew_is_only_told(source: Database, target: Database) -> None:
    move(source, target, URL)
    source.run(forget_move)
    pages = list[str]()
    move(source, target, URL, lambda table, _rows: pages.append(table))
    assert pages == []
    with pytest.raises(Conflict):
        source.run(refuse_moved)


def test_other_data_is_left_alone(source: Database, target: Database) -> None:
    target.run(lambda c: c.run("INSERT INTO settings (name, value) VALUES ('a', 'b')"))
    before = digests(target)
    with pytest.raises(Conflict, match="holds data already"):
        move(source, target, URL)
    assert digests(target) == before


def test_what_changed_on_the_way_is_noticed_and_the_source_stays_in_use(source: Database, target: Database) -> None:
    def meddle(table: str, _rows: int) -> None:
        if table == "runs":
            target.run(lambda c: c.run("UPDATE users SET email = 'x'"))

    with pytest.raises(Unavailable, match=r"in users$"):
        move(source, target, URL, meddle)
    source.run(refuse_moved)

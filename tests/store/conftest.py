"""Databases for the tests of the store: every contract is tested on both."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.databases import EMPTY

from rota.store.connection import Connection
from rota.store.database import Database, open_postgres, open_sqlite
from rota.store.postgres import PostgresDriver
from rota.store.sqlite import SqliteDriver


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that nothing was written to."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    open_sqlite(path).close()
    return path


@pytest.fixture(scope="session")
def postgres_database(postgres_url: str, postgres_schema: str) -> Iterator[Database]:
    """One for all tests: opening one costs more than emptying it."""
    with closing(open_postgres(postgres_url, schema=postgres_schema)) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty migrated database, with its threads."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "rota.db")
        with closing(open_sqlite(path)) as database:
            yield database
    else:
        database = request.getfixturevalue("postgres_database")
        yield database
        database.run(lambda c: c.run(EMPTY))


@pytest.fixture(scope="session")
def sqlite_connection(sqlite_template: Path) -> Iterator[Connection]:
    with closing(SqliteDriver(sqlite_template).connect()) as c:
        yield c


@pytest.fixture(scope="session")
def postgres_connection(postgres_url: str, postgres_schema: str) -> Iterator[Connection]:
    with closing(PostgresDriver(postgres_url, postgres_schema).connect()) as c:
        yield c


@pytest.fixture(params=["sqlite", "postgres"])
def c(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A connection to an empty migrated database, in a transaction that is rolled back after the test."""
    connection: Connection = request.getfixturevalue(f"{request.param}_connection")
    connection.begin()
    yield connection
    connection.rollback()

"""An installation that holds something, and databases of their own on the test session's PostgreSQL server."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from tests.store.filled import fill

from rota.store.database import Database, open_database, open_postgres
from rota.store.postgres import PostgresDriver

TEMPLATE = "migrated"
LOG = "20270101_120000_0192f0c1-2d3e-7abc-8def-000000000001.log"


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """A database with empty tables: to copy it costs a third of making them."""
    create(postgres_url, TEMPLATE, "template0")
    open_postgres(url_of(postgres_url, TEMPLATE)).close()
    return TEMPLATE


@pytest.fixture
def new_postgres(postgres_url: str, postgres_template: str) -> str:
    """The URL of a database without data."""
    name = f"db_{uuid4().hex}"
    create(postgres_url, name, postgres_template)
    return url_of(postgres_url, name)


def create(url: str, name: str, template: str) -> None:
    with closing(PostgresDriver(url).connect()) as c:
        c.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")


def url_of(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with some rows in every table, SQLite if no other is asked for, and its data directory."""
    data = tmp_path / "data"
    for name in (f"logs/task/.{LOG}.meta", f"logs/task/{LOG}", "blobs/tasks/a b/ä.bin"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(name.encode() * 1000)
    (data / "server.lock").write_text("1")
    url = request.getfixturevalue("new_postgres") if getattr(request, "param", "") == "postgres" else data / "rota.db"
    with closing(open_database(url)) as database:
        database.run(fill)
        # What is in there means nothing, and shared logs are read where there is one server.
        database.run(lambda c: [c.run(f"DELETE FROM {table}") for table in ("log_chunks", "run_logs")])
        yield database

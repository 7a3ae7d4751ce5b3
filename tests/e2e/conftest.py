"""Servers for a test, of which nothing is left behind."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from tests.e2e.forker import Forker
from tests.e2e.server_process import ServerProcess

MakeServer = Callable[..., ServerProcess]
# Connections of a server that was killed, which PostgreSQL may not have noticed yet.
OTHERS_OUT = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"


@pytest.fixture(scope="session")
def forker() -> Iterator[Forker]:
    with closing(Forker()) as forker:
        yield forker


@pytest.fixture
def make_server(forker: Forker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeServer]:
    """`make_server(settings, …)`; nothing is started yet."""
    with ExitStack() as stack:

        def make(settings: str, **rest: object) -> ServerProcess:
            return stack.enter_context(_server(forker, tmp_path_factory.getbasetemp(), settings, **rest))

        yield make


@contextmanager
def _server(forker: Forker, place: Path, settings: str, **rest: object) -> Iterator[ServerProcess]:
    with TemporaryDirectory(dir=place, prefix="e2e-", ignore_cleanup_errors=True) as folder:
        server = ServerProcess(forker, Path(folder), settings, **rest)  # type: ignore[arg-type]
        try:
            yield server
        finally:
            wrong = server.end()
        assert wrong == [], server.own_log()


@pytest.fixture(scope="session")
def postgres_database_url(postgres_url: str) -> str:
    """One database for all tests: to drop one costs a second."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE e2e")
    return postgres_url.replace("/postgres?", "/e2e?")


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """What `--database` is given: None for SQLite, else the URL of an empty database."""
    if request.param == "sqlite":
        yield None
        return
    with psycopg.connect(request.getfixturevalue("postgres_database_url"), autocommit=True) as admin:
        admin.execute(OTHERS_OUT)
        admin.execute(EMPTY)
        yield request.getfixturevalue("postgres_database_url")

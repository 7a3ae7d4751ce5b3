"""Servers for a test, of which nothing is left behind."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from tests.e2e.server_process import ServerProcess

NUMBERS = itertools.count(1)
MakeServer = Callable[..., ServerProcess]


@pytest.fixture
def make_server() -> Iterator[MakeServer]:
    """`make_server(settings, …)`; nothing is started yet."""
    with ExitStack() as stack:

        def make(settings: str, **rest: object) -> ServerProcess:
            return stack.enter_context(_server(settings, **rest))

        yield make


@contextmanager
def _server(settings: str, **rest: object) -> Iterator[ServerProcess]:
    with TemporaryDirectory(prefix="rota-e2e-", ignore_cleanup_errors=True) as folder:
        server = ServerProcess(Path(folder), settings, **rest)  # type: ignore[arg-type]
        try:
            yield server
        finally:
            wrong = server.end()
        assert wrong == [], server.own_log()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """What `--database` is given: None for SQLite, else the URL of an empty database."""
    if request.param == "sqlite":
        yield None
        return
    url, name = request.getfixturevalue("postgres_url"), f"e2e_{next(NUMBERS)}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} STRATEGY wal_log".encode())
        yield url.replace("/postgres?", f"/{name}?")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

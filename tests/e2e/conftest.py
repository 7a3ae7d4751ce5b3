"""Servers for a test, of which nothing is left behind."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests import under
from tests.e2e.fleet_of_machines import Fleet
from tests.e2e.forker import Forker
from tests.e2e.lent_databases import LentDatabases
from tests.e2e.scaled_server import ScaledServer
from tests.e2e.server_process import ServerProcess
from tests.temporal_server import TemporalServer

MakeServer = Callable[..., ServerProcess]


@pytest.fixture(scope="session")
def forker() -> Iterator[Forker]:
    with closing(Forker()) as forker:
        yield forker


@pytest.fixture(scope="session")
def lent_databases() -> LentDatabases:
    return LentDatabases()


@pytest.fixture
def make_server(forker: Forker, lent_databases: LentDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeServer]:
    """`make_server(settings, …)`; nothing is started yet. `scale`: with a worker beside it, whatever is under the other tests."""
    with ExitStack() as stack:

        def make(settings: str, *, scale: bool = under.scale, **rest: object) -> ServerProcess:
            kind: type[ServerProcess] = ServerProcess
            if scale and not rest.get("database"):
                kind, rest = ScaledServer, {**rest, "database": stack.enter_context(lent_databases.lend())}
            return stack.enter_context(_server(kind, forker, tmp_path_factory.getbasetemp(), settings, **rest))

        yield make


@pytest.fixture(scope="session")
def shared_blobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What tells a server and its worker, in their environment, of a store that both reach. Alone, a server has its own."""
    if not under.scale:
        yield {}
        return
    from tests.blobs.seaweed import run_bucket  # its client takes half a second to load

    with run_bucket(tmp_path_factory.mktemp("seaweed")) as bucket:
        assert bucket.endpoint and bucket.access_key and bucket.secret_key
        yield {
            "ROTA_BLOBS_KIND": "s3",
            "ROTA_BLOBS_BUCKET": bucket.name,
            "ROTA_BLOBS_ENDPOINT": bucket.endpoint,
            "ROTA_BLOBS_ACCESS_KEY": bucket.access_key.reveal(),
            "ROTA_BLOBS_SECRET_KEY": bucket.secret_key.reveal(),
        }


@contextmanager
def _server(kind: type[ServerProcess], forker: Forker, place: Path, settings: str, **rest: object) -> Iterator[ServerProcess]:
    with TemporaryDirectory(dir=place, prefix="e2e-", ignore_cleanup_errors=True) as folder:
        server = kind(forker, Path(folder), settings, **rest)  # type: ignore[arg-type]
        try:
            yield server
        finally:
            wrong = server.end()
        assert wrong == [], server.own_log()


@pytest.fixture(params=["scale"] if under.scale else ["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, lent_databases: LentDatabases) -> Iterator[str | None]:
    """What `--database` is given: the URL of an empty database; None for SQLite, or where each server has one of its own."""
    if request.param != "postgres":
        yield None
        return
    with lent_databases.lend() as url:
        yield url


@pytest.fixture
def fleet(make_server: MakeServer, forker: Forker, temporal: TemporalServer, lent_databases: LentDatabases) -> Iterator[Fleet]:
    """Nothing of it is started yet."""
    with lent_databases.lend() as database, ExitStack() as stack:
        yield Fleet(make_server, forker, stack, database, temporal.address)

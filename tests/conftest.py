"""Fixtures for all tests."""

import gc
import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from tests import under
from tests.databases import migrate_quickly
from tests.depth import examples
from tests.temporal_server import TemporalServer

from rota.store.database import open_postgres

# No deadlines: how long an example takes tells of the machine's other work.
settings.register_profile("rota", max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rota")

MEMORY = Path("/dev/shm")  # noqa: S108  not for secrets: what tests write does not have to reach a disk, which takes most of their time
ENOUGH_BYTES = 2 << 30
# By Python's own settings the collector takes a quarter of the time: it goes through all tests and modules again and again.
COLLECT_AFTER = (50_000, 20, 20)


def pytest_configure() -> None:
    gc.set_threshold(*COLLECT_AFTER)
    if MEMORY.is_dir() and _is_roomy(MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # what was imported and collected stays to the end


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    yield
    if under.scale:
        from tests.schemas import end_test

        end_test()


def pytest_unconfigure() -> None:
    under.stop_servers()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is of the embedded form alone has nothing to say with PostgreSQL and Temporal under it."""
    if under.scale:
        left_out = [item for item in items if item.get_closest_marker("embedded")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("embedded")]


def _is_roomy(folder: Path) -> bool:
    """Whether tests can keep their files there, and start scripts of theirs."""
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize > ENOUGH_BYTES and not told.f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK)


@pytest.fixture(autouse=True, scope="session")
def quick_starts() -> Iterator[None]:
    """Servers in this process start without what takes half of their time: tables, and a look into every installed package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rota.store.database.migrate", migrate_quickly)
        patch.setattr("rota.modules.catalogue.entry_points", _installed)
        patch.setattr("rota.tools.entrypoints.entry_points", _installed)
        yield


def _installed(*, group: str) -> EntryPoints:
    return _installed_on(tuple(sys.path), group)


@cache
def _installed_on(_path: tuple[str, ...], group: str) -> EntryPoints:
    return entry_points(group=group)


@pytest.fixture(autouse=True, scope="session")
def plain_log() -> None:
    """A traceback with the values of all variables, drawn in a box, takes a second."""
    render = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, render])


@pytest.fixture(autouse=True, scope="session")
def cheap_passwords() -> None:
    """What tests log in with is worth nothing."""
    from rota.ops import passwords

    passwords.COST = passwords.Cost(rounds=1, memory_kib=8)


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The URL of a PostgreSQL server that lives as long as the test session. Work in a schema of your own."""
    return under.postgres_url()


@pytest.fixture(scope="session")
def temporal() -> TemporalServer:
    """A Temporal server that lives as long as the test session. Work with a task queue of your own."""
    return under.temporal()


@pytest.fixture(scope="session")
def postgres_schema(postgres_url: str) -> str:
    """A schema with all tables, for every test that leaves them empty: to make them costs more than most tests."""
    open_postgres(postgres_url, schema="rota").close()
    return "rota"

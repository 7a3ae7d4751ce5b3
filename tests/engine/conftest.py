"""A world for every test, on a database in memory."""

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from tests.databases import open_memory
from tests.engine.world import World

from rota.store.database import Database


@pytest.fixture(autouse=True, scope="session")
def quiet() -> Iterator[None]:
    """Faults are what these tests are about; their warnings tell nothing new."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def database() -> Iterator[Database]:
    with closing(open_memory()) as database:
        yield database


@pytest.fixture
def world(tmp_path: Path, database: Database) -> Iterator[World]:
    world = World(tmp_path, database)
    yield world
    world.shut()

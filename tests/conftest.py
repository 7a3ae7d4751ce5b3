"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest
from tests.postgres_server import run_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the test session. Work in a schema of your own."""
    with run_server() as server:
        yield server.url

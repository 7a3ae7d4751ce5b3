"""Fixtures for all tests."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from tests.depth import examples
from tests.postgres_server import run_server

# No deadlines: how long an example takes tells of the machine's other work.
settings.register_profile("rota", max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rota")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the test session. Work in a schema of your own."""
    with run_server() as server:
        yield server.url

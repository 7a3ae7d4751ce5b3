"""A database of its own on the test session's PostgreSQL server."""

from contextlib import closing
from uuid import uuid4

import pytest

from rota.store.postgres import PostgresDriver


@pytest.fixture
def new_postgres(postgres_url: str) -> str:
    """The URL of an empty database."""
    name = f"db_{uuid4().hex}"
    with closing(PostgresDriver(postgres_url).connect()) as c:
        c.run(f"CREATE DATABASE {name}")
    return postgres_url.replace("/postgres?", f"/{name}?")

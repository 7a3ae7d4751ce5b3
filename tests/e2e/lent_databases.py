"""PostgreSQL databases for servers, each empty when it is lent."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from tests import under

# Connections of a server that was killed, which PostgreSQL may not have noticed yet.
OTHERS_OUT = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"


class LentDatabases:
    """Given back, one is lent again: to make another costs more."""

    def __init__(self) -> None:
        self._free: list[str] = []
        self._count = 0

    @contextmanager
    def lend(self) -> Iterator[str]:
        """The URL of a database that nobody else has."""
        url = self._free.pop() if self._free else self._make()
        # Now, for who had it before may have gone on a moment longer.
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(OTHERS_OUT)
            admin.execute(EMPTY)
        try:
            yield url
        finally:
            self._free.append(url)

    def _make(self) -> str:
        self._count += 1
        with psycopg.connect(under.postgres_url(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE e2e_{self._count}")
        return under.postgres_url().replace("/postgres?", f"/e2e_{self._count}?")

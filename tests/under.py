"""What the tests have under them: SQLite and this machine or, with ROTA_TEST_UNDER=scale, PostgreSQL and Temporal.

The servers are those of the test session: each starts when it is first asked for.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.postgres_server import run_server
from tests.temporal_server import TemporalServer, run_temporal

scale = os.environ.get("ROTA_TEST_UNDER") == "scale"
_servers = ExitStack()


@cache
def postgres_url() -> str:
    """Work in a schema or a database of your own."""
    return _servers.enter_context(run_server()).url


@cache
def temporal() -> TemporalServer:
    """Work with a task queue of your own."""
    folder = TemporaryDirectory(prefix="rota-temporal-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
    return _servers.enter_context(run_temporal(Path(_servers.enter_context(folder))))


def at_end(close: Callable[[], object]) -> None:
    """Before the servers that are there by now are stopped."""
    _servers.callback(close)


def stop_servers() -> None:
    """The session is over."""
    _servers.close()
    postgres_url.cache_clear()
    temporal.cache_clear()

"""Opens databases by their SQLAlchemy URL, so that no error tells the URL and no statement leaves the database."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import sqlalchemy
from sqlalchemy import URL, Engine, event, exc

from rota.core.errors import Conflict, Unavailable

# A program that writes to the same SQLite file holds it for less than this as a rule.
BUSY_S = 30.0


def open_engine(url: str, name: str, begin: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE") -> Engine:
    """An engine with one connection; `dispose` closes it.

    name   what messages call the database, such as `[records]`
    begin  whether a transaction of SQLite holds off other writers from its first statement on, or from its first change

    Raises Unavailable without the driver, or for a file that is not there.
    """
    try:
        target = sqlalchemy.make_url(url)
        is_sqlite = target.get_backend_name() == "sqlite"
        options = {"connect_args": {"timeout": BUSY_S}} if is_sqlite else {}
        engine = sqlalchemy.create_engine(
            target, poolclass=sqlalchemy.QueuePool, pool_size=1, max_overflow=0, hide_parameters=True, **options
        )
    except ImportError as error:
        raise Unavailable(f"{name} needs the driver {error.name}, which is not installed") from None
    except exc.ArgumentError:
        raise Unavailable(f"the url of {name} is of no kind that SQLAlchemy knows") from None
    if is_sqlite:
        _check_file(target, name)
        _confine(engine, begin)
    return engine


@contextmanager
def told(name: str) -> Iterator[None]:
    """What a database refuses becomes Conflict, in its own words, on one line; values and URL are not repeated."""
    try:
        yield
    except exc.DBAPIError as error:
        raise Conflict(f"{name}: {first_line(error.orig)}") from None
    except exc.SQLAlchemyError as error:
        raise Conflict(f"{name}: {first_line(error)}") from None


def first_line(error: object) -> str:
    """Further lines of PostgreSQL's messages hold values of rows."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]


def _check_file(url: URL, name: str) -> None:
    """SQLite would make an empty database of a name that is mistyped."""
    path = url.database or ""
    if path and path != ":memory:" and not path.startswith("file:") and not Path(path).is_file():
        raise Unavailable(f"the file of {name} is not there")


def _confine(engine: Engine, begin: str) -> None:
    """Statements begin at once, so that two writers wait for each other, and no other file can be attached (or vacuumed into)."""

    def connected(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)

    def begun(connection: Any) -> None:
        connection.exec_driver_sql(f"BEGIN {begin}")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)

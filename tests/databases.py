"""Migrated databases that cost tests little, of whichever kind is to be under them."""

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from tests import under

from rota.store.connection import Connection
from rota.store.database import Database, open_sqlite
from rota.store.migrate import migrate
from rota.store.sqlite import MEMORY, SqliteConnection, SqliteDriver
from rota.store.tables import TABLES

FILE = "rota.db"
# One message for PostgreSQL, and for tables this small far cheaper than TRUNCATE, which makes new files.
EMPTY = f"DO $$ BEGIN {' '.join(f'DELETE FROM {table};' for table in reversed(TABLES) if table != 'migrations')} END $$"


def open_memory() -> Database:
    """Like `open_sqlite(":memory:", threads=False)`, whose migrations take most of the time of a short test.

    Or an empty schema of PostgreSQL, which is gone likewise when it is closed.
    """
    if under.scale:
        from tests.schemas import Lent

        return Lent()
    driver = SqliteDriver(MEMORY)
    c = driver.connect()
    c.raw.deserialize(_migrated())
    return Database(driver, c, threads=False)


def open_kept(folder: Path) -> Database:
    """One that is found as it was left when it is opened again: a file in the folder, or the folder's schema."""
    if under.scale:
        from tests.schemas import lend_to

        driver = lend_to(folder).driver
        return Database(driver, driver.connect())
    return open_sqlite(folder / FILE)


def migrate_quickly(c: Connection, upto: int | None = None) -> list[str]:
    """Like `migrate`, but a new SQLite file gets all tables in one piece."""
    if upto is None and isinstance(c, SqliteConnection) and not c.rows("SELECT 1 FROM sqlite_schema LIMIT 1"):
        with closing(sqlite3.connect(MEMORY)) as whole:
            whole.deserialize(_migrated())
            whole.backup(c.raw)
    return migrate(c, upto=upto)


def environ_of(folder: Path) -> dict[str, str]:
    """What tells a command with that data directory which database is beside it."""
    if under.scale:
        from tests.schemas import lend_to

        return {"ROTA_DATABASE": lend_to(folder).url}
    return {}


@cache
def _migrated() -> bytes:
    """What a migrated database is as bytes."""
    c = SqliteDriver(MEMORY).connect()
    migrate(c)
    try:
        return c.raw.serialize()
    finally:
        c.close()

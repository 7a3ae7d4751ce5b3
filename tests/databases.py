"""Migrated databases that cost tests little."""

from functools import cache

from rota.store.database import Database
from rota.store.migrate import migrate
from rota.store.sqlite import MEMORY, SqliteDriver
from rota.store.tables import TABLES

# One message for PostgreSQL, and for tables this small far cheaper than TRUNCATE, which makes new files.
EMPTY = f"DO $$ BEGIN {' '.join(f'DELETE FROM {table};' for table in reversed(TABLES) if table != 'migrations')} END $$"


def open_memory() -> Database:
    """Like `open_sqlite(":memory:", threads=False)`, whose migrations take most of the time of a short test."""
    driver = SqliteDriver(MEMORY)
    c = driver.connect()
    c.raw.deserialize(_migrated())
    return Database(driver, c, threads=False)


@cache
def _migrated() -> bytes:
    """What a migrated database is as bytes."""
    c = SqliteDriver(MEMORY).connect()
    migrate(c)
    try:
        return c.raw.serialize()
    finally:
        c.close()

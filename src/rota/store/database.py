"""The database: one writer, many readers, and the function is sent to the connection."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from rota.store.connection import Connection, Dialect, Driver, InDoubt, Row, Work
from rota.store.migrate import migrate
from rota.store.postgres import PostgresDriver, Use
from rota.store.readers import Readers
from rota.store.sqlite import MEMORY, SqliteDriver, check
from rota.store.writer import Part, Transactor, Writer

__all__ = [
    "Connection",
    "Database",
    "Dialect",
    "Row",
    "Work",
    "is_postgres",
    "open_beside",
    "open_database",
    "open_postgres",
    "open_sqlite",
]

T = TypeVar("T")
Item = TypeVar("Item")


def _nothing() -> None:
    """Where nobody acts on what is written."""


class Database:
    """What the rest of Rota holds of its database. Made by `open_sqlite`, `open_postgres` or `open_database`.

    A function that is sent here gets a Connection inside a transaction and may run statements, nothing else: no waiting, no
    calls back into this class. Writes run in the order in which they were sent. The error of one undoes what it did, and
    nothing of the others that share its transaction. What a write did is durable when its caller goes on. Unavailable is raised
    when there is no room or no database; the next function finds out by itself whether that has passed.

    on_doubt  called when nobody knows whether a write was made: whoever acts on it is to look, for its writer gives up
    """

    def __init__(self, driver: Driver, connection: Connection, *, threads: bool = True) -> None:
        self._driver = driver
        self._transactor = Transactor(driver, connection)
        self._writer = Writer(self._transactor) if threads else None
        self._readers = Readers(driver) if threads and driver.is_shared else None
        self.on_doubt: Callable[[], object] = _nothing

    async def write(self, fn: Work[T]) -> T:
        """Run in the next transaction of the one writer. A caller that is cancelled does not stop it."""
        if self._writer is None:
            return self._transactor.run(fn)
        try:
            return await self._writer.submit(fn)
        except InDoubt:
            self.on_doubt()
            raise

    async def write_part(self, fn: Callable[[Connection, Sequence[Item]], Sequence[T | BaseException]], item: Item) -> T:
        """Write by a function that takes many: what stands side by side in the queue for one and the same is done by one call.

        fn  gives for each item, in their order, what came of it, or the error that refuses it, having written nothing for it.
            If it raises, all it wrote is undone, and it is called again with each item alone.
        """
        part: Part[T] = Part(fn, item)
        return await self.write(part)

    async def read(self, fn: Work[T]) -> T:
        """Run on one unchanging state of the database that has every write that was finished before."""
        if self._readers is None:
            return await self.write(fn)
        return await self._readers.read(fn)

    def run(self, fn: Work[T], *, write: bool = True) -> T:
        """The same without an event loop; it blocks."""
        if not write and self._readers is not None:
            return self._readers.run(fn)
        if self._writer is None:
            return self._transactor.run(fn)
        return self._writer.submit_sync(fn).result()

    @property
    def dialect(self) -> Dialect:
        return self._transactor.dialect

    @property
    def problem(self) -> str | None:
        """Why the last write failed for want of disk or database; None while all is well."""
        return self._transactor.problem

    @property
    def healthy(self) -> bool:
        return self._transactor.problem is None

    def close(self) -> None:
        """Finish what waits, then close. Readers go first: the last connection to a SQLite file tidies up."""
        if self._readers is not None:
            self._readers.close()
        if self._writer is not None:
            self._writer.close()
        self._transactor.close()


def open_sqlite(path: str | Path, *, threads: bool = True, in_use: bool = False, upto: int | None = None) -> Database:
    """Open, check after an unclean end, and migrate. `threads=False` runs each function at once in the caller's thread.

    in_use  a server is at work on it, so what looks like an unclean end is none
    upto    the last migration to apply, if not all
    Unavailable if the file cannot be used or is damaged, Conflict if a newer version made it.
    """
    driver = SqliteDriver(path)
    needs_check = not in_use and not driver.ended_cleanly()
    c = driver.connect()
    try:
        if needs_check:
            check(c)
        migrate(c, upto=upto)
    except BaseException:
        c.close()
        raise
    return Database(driver, c, threads=threads)


def open_postgres(url: str, *, schema: str | None = None, use: Use | None = None, upto: int | None = None) -> Database:
    """Connect and migrate; `use` as in `PostgresDriver`, `upto` as in `open_sqlite`.

    Unavailable if the server does not answer, Conflict if a newer version made the tables or others use them otherwise.
    """
    driver = PostgresDriver(url, schema, use=use)
    driver.create_schema()
    c = driver.connect()
    try:
        migrate(c, upto=upto)
    except BaseException:
        c.close()
        raise
    return Database(driver, c)


def open_beside(url: str, schema: str | None = None, patience_s: float = 4.0, place: str | None = None) -> Database:
    """One more way into a PostgreSQL database that is migrated: for small writes that wait behind no others, and not for long.

    Each of them, and each try to connect, is over after `patience_s`, even where no answer comes from the network. `place` as in
    `PostgresDriver`.
    """
    driver = PostgresDriver(url, schema, patience_s=patience_s, place=place)
    return Database(driver, driver.connect())


def is_postgres(url_or_path: str | Path) -> bool:
    return str(url_or_path).startswith(("postgresql://", "postgres://"))


def open_database(url_or_path: str | Path, *, in_use: bool = False, use: Use | None = None, upto: int | None = None) -> Database:
    """`postgresql://…` is a server, `sqlite:///…` or anything else a file.

    `in_use` and `upto` as in `open_sqlite`, `use` as in `PostgresDriver`; a file is its owner's by the lock of its directory.
    """
    text = str(url_or_path)
    if is_postgres(text):
        return open_postgres(text, use=use, upto=upto)
    return open_sqlite(text.removeprefix("sqlite:///") or MEMORY, in_use=in_use, upto=upto)

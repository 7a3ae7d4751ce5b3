"""SQLite: the embedded database."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from rota.core.errors import Conflict, Unavailable
from rota.store.connection import Connection, Contended, Driver, Row

OLDEST = (3, 37, 0)
MEMORY = ":memory:"
# Batches are cut into powers of two, so that a few prepared statements serve every size; beyond 128 rows nothing is gained.
LARGEST_STEP = 128
VARIABLES = 32_766
STORAGE_TROUBLE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk fails to read or write",
    sqlite3.SQLITE_READONLY: "the database cannot be written",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_NOMEM: "memory ran out",
}
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# A checkpoint every 4,000 pages instead of 1,000 makes bursts of inserts a tenth faster, and the log stays below 20 MB.
WRITER_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=5000",
    "wal_autocheckpoint=4000",
    "journal_size_limit=67108864",
    "cache_size=-16384",
    "temp_store=MEMORY",
)
READER_PRAGMAS = ("busy_timeout=5000", "wal_autocheckpoint=0", "cache_size=-8192", "temp_store=MEMORY", "query_only=ON")


@lru_cache(maxsize=2048)
def render_batch(sql: str, columns: int, count: int) -> str:
    line = "(" + ",".join("?" * columns) + ")"
    return sql.replace("{values}", "VALUES " + ",".join([line] * count))


def steps(count: int, columns: int) -> Iterator[tuple[int, int]]:
    """Cut `count` rows into (start, size) parts."""
    size = LARGEST_STEP
    while size * columns > VARIABLES - 100:
        size //= 2
    start = 0
    while start < count:
        while size > count - start:
            size //= 2
        yield start, size
        start += size


class SqliteConnection(Connection):
    dialect = "sqlite"

    def __init__(self, raw: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> None:
        self.raw = raw
        self._cursor = raw.cursor()
        self._execute = self._cursor.execute
        self._begin = begin
        self._marked = False
        self._changes = 0

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return self._execute(sql, params).fetchall()

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        return self._execute(sql, params).rowcount

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._cursor.executemany(sql, rows)

    def batch(self, sql: str, types: str, values: Sequence[Sequence[Any]], params: Sequence[Any] = ()) -> list[Row]:
        columns = len(types.split())
        before = sql.partition("{values}")[0].count("?") if params else 0
        head, tail = params[:before], params[before:]
        found: list[Row] = []
        for start, size in steps(len(values), columns):
            part = chain.from_iterable(values[start : start + size])
            found += self._execute(render_batch(sql, columns, size), [*head, *part, *tail]).fetchall()
        return found

    def begin(self) -> None:
        self._execute(self._begin)
        self._marked = False
        self._changes = self.raw.total_changes

    def commit(self) -> None:
        self._execute("COMMIT")

    def rollback(self) -> None:
        if self.raw.in_transaction:
            self._execute("ROLLBACK")

    def mark(self) -> None:
        if self._marked:
            self._execute("RELEASE mark")
        self._execute("SAVEPOINT mark")
        self._marked = True

    def undo(self) -> None:
        self._execute("ROLLBACK TO mark")

    def has_written(self) -> bool:
        return self.raw.total_changes != self._changes

    def is_lost(self) -> bool:
        return False

    def translate(self, error: BaseException) -> BaseException:
        return translate(error)

    def close(self) -> None:
        self.raw.close()


def translate(error: BaseException) -> BaseException:
    """See Connection.translate. Extended result codes carry the primary code in their low byte."""
    if not isinstance(error, sqlite3.Error):
        return error
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in STORAGE_TROUBLE:
        return Unavailable(
            f"{STORAGE_TROUBLE[code]} ({error})", hint="free space or repair the disk; work goes on by itself then"
        )
    if code in BUSY:
        return Contended(f"another process holds the database ({error})", hint="try again")
    if code in DAMAGED:
        return Unavailable(f"the database is damaged ({error})", hint="restore a backup")
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(f"the change does not fit what is stored ({error})")
    return error


class SqliteDriver(Driver):
    """Opens a database file, or one in memory that lives and dies with its one connection."""

    def __init__(self, path: str | Path) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise Unavailable(f"SQLite {sqlite3.sqlite_version} is too old", hint="Rota needs 3.37 or newer")
        self.path = str(path)
        self.is_shared = self.path != MEMORY

    def connect(self) -> SqliteConnection:
        return self._open(WRITER_PRAGMAS, "BEGIN IMMEDIATE")

    def connect_reader(self) -> SqliteConnection:
        return self._open(READER_PRAGMAS, "BEGIN")

    def ended_cleanly(self) -> bool:
        """Whether the last one to use the file closed it: the log that SQLite then removes is still there otherwise."""
        log = Path(self.path + "-wal")
        return not (self.is_shared and log.exists() and log.stat().st_size)

    def _open(self, pragmas: Sequence[str], begin: str) -> SqliteConnection:
        try:
            if self.is_shared:
                make_private(self.path)
            # The connection wanders between the thread that opens it and the one thread that then uses it.
            raw = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=1024)
            try:
                for pragma in pragmas:
                    raw.execute(f"PRAGMA {pragma}").fetchall()
            except BaseException:
                raw.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"{self.path}: {error}", hint="is it a database that this user may write?") from error
        return SqliteConnection(raw, begin)


def check(c: SqliteConnection) -> None:
    """Look through the whole file for damage. Raises Unavailable with the first finding."""
    try:
        found = c.rows("PRAGMA quick_check(1)")
    except sqlite3.DatabaseError as error:
        raise translate(error) from error
    if found != [("ok",)]:
        raise Unavailable(f"the database is damaged: {found[0][0]}", hint="restore a backup")


def make_private(path: str | Path) -> None:
    """Make the file, for its owner alone, if it is missing: secrets are in it. What SQLite puts beside it has the same mode.

    One that is there is not opened: to close any descriptor of it would drop the locks of all our connections to it
    (fcntl(2)), and the next process to close the database would take its log away from under us.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

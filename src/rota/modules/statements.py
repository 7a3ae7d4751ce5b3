"""One SQL statement against a database, its rows as CSV if they are wanted."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from typing import Any, BinaryIO

import sqlalchemy as sa
from msgspec import Struct

from rota.core.errors import Conflict
from rota.modules.engines import open_engine, told

Into = Callable[[], AbstractContextManager[BinaryIO]]
BATCH = 1000
# Statements whose rows PostgreSQL can hand over bit by bit.
_READS = re.compile(r"\s*(select|values|table)\b", re.IGNORECASE)


class Done(Struct, frozen=True):
    """rows that came, or that were changed · columns of what came, None for a statement that gives nothing"""

    rows: int
    columns: list[str] | None


def run_statement(
    url: str,
    name: str,
    statement: str,
    values: Mapping[str, Any],
    *,
    into: Into | None = None,
    most_rows: int = 1_000_000,
    check: Callable[[], None] = lambda: None,
) -> Done:
    """In one transaction, which is undone unless all went well.

    name    what messages call the database
    values  of `:name` in the statement; where there are none, colons mean nothing
    into    opens the file for CSV (UTF-8, with a line of names), as a context manager; None: rows are only counted
    check   raises when the run is to stop; asked between batches of rows

    Raises Conflict for what the database refuses, and for more rows than `most_rows`; Unavailable as open_engine does.
    """
    engine = open_engine(url, name, begin="DEFERRED")
    text = sa.text(statement if values else statement.replace(":", "\\:"))
    try:
        with told(name), engine.begin() as connection:
            if _READS.match(statement):
                connection = connection.execution_options(stream_results=True, max_row_buffer=BATCH)
            with closing(connection.execute(text, dict(values))) as result:
                return _take(result, into, most_rows, check)
    finally:
        engine.dispose()


def _take(result: sa.CursorResult[Any], into: Into | None, most_rows: int, check: Callable[[], None]) -> Done:
    if not result.returns_rows:
        return Done(max(0, result.rowcount), None)
    counted = _Counted(result, most_rows, check)
    if into is None:
        counted.exhaust()
    else:
        with into() as file:
            counted.write(file)
    return Done(counted.rows, counted.columns)


class _Counted:
    def __init__(self, result: sa.CursorResult[Any], most_rows: int, check: Callable[[], None]) -> None:
        self.columns = list(result.keys())
        self.rows = 0
        self._batches = result.partitions(BATCH)
        self._most = most_rows
        self._check = check

    def exhaust(self) -> None:
        for batch in self._batches:
            self._count(len(batch))

    def write(self, file: BinaryIO) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        lines = csv.writer(text)
        lines.writerow(self.columns)
        for batch in self._batches:
            self._count(len(batch))
            lines.writerows(batch)
        text.flush()
        text.detach()  # whoever opened the file closes it

    def _count(self, more: int) -> None:
        self._check()
        self.rows += more
        if self.rows > self._most:
            raise Conflict(f"more than {self._most} rows; max_rows says how many there may be")

"""All tables of a database, read page by page and written again as they are: for backups, and moves to another database."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from rota.core.errors import Conflict, Invalid
from rota.store.connection import Connection, Row
from rota.store.tables import TABLES

# Of the database itself, and of the processes that use it.
NOT_COPIED = frozenset({"migrations", "nodes", "leadership"})
PAGE = 5000
# About as much is in memory at a time; rows can be as long as what people send.
PAGE_BYTES = 4 * 1024 * 1024
FIRST_PAGE = 250
NUL, INSTEAD, NUL_IN_JSON = "\0", "\ufffd", b"\\u0000"
# Sums of hashes stay below this.
MODULUS = 2**64
KEY = {
    "sqlite": "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk",
    "postgres": """
        SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = to_regclass(?) AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)""",
}
COLUMNS = {
    "sqlite": "SELECT name FROM pragma_table_info(?)",
    "postgres": """
        SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(?)) AND attnum > 0 AND NOT attisdropped""",
}
COUNTER = {
    "sqlite": "SELECT seq FROM sqlite_sequence WHERE name = ?",
    "postgres": """
        SELECT last_value FROM pg_sequences
        WHERE format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence(?, ?)""",
}


class Page(NamedTuple):
    """Rows of one table, in the order of its key, and the key of the last one."""

    table: str
    columns: list[str]
    rows: list[Row]
    last: Row


class Digest(Struct, frozen=True):
    """What a table holds, in whatever order it is read: how many rows, and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def plus(self, rows: Sequence[Row]) -> "Digest":
        total = self.total + sum(_hash(row) for row in rows)
        return Digest(self.rows + len(rows), total % MODULUS)


def copied_tables() -> list[str]:
    """What refers to a table comes behind it."""
    return [table for table in TABLES if table not in NOT_COPIED]


def columns_of(table: str) -> list[str]:
    return list(TABLES[table])


def read_pages(
    c: Connection, table: str, columns: Sequence[str] | None = None, after: Row | None = None, size: int = PAGE
) -> Iterator[Page]:
    """All rows behind a key, with all columns or some. The connection is in one transaction meanwhile, and so sees one state."""
    columns, key = list(columns or columns_of(table)), key_of(c, table)
    places = [columns.index(name) for name in key]
    asked = min(FIRST_PAGE, size)
    while True:
        where = f"WHERE ({', '.join(key)}) > ({', '.join('?' * len(key))})" if after else ""
        sql = f"SELECT {', '.join(columns)} FROM {table} {where} ORDER BY {', '.join(key)} LIMIT ?"
        rows = c.rows(sql, (*(after or ()), asked))
        if rows:
            after = tuple(rows[-1][place] for place in places)
            yield Page(table, columns, rows, after)
        if len(rows) < asked:
            return
        asked = _next_size(rows, size)


def _next_size(rows: Sequence[Row], most: int) -> int:
    """As many rows as fill a page if they are like these; at most twice as many, for they may be longer."""
    length = sum(len(value) for row in rows for value in row if isinstance(value, str)) or 1
    return max(1, min(most, 2 * len(rows), len(rows) * PAGE_BYTES // length))


def write_rows(c: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """As they are. Raises Invalid for a table or a column that this database does not have."""
    check_columns(c, table, columns)
    marks = ", ".join("?" * len(columns))
    kept = [_storable(row) for row in rows] if c.dialect == "postgres" else rows
    c.run_many(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", kept)


def check_columns(c: Connection, table: str, columns: Sequence[str]) -> None:
    """Raises Invalid for a table or a column that this database does not have."""
    known = {row[0] for row in c.rows(COLUMNS[c.dialect], (table,))} if table in TABLES else set()
    if not columns or not known or (unknown := set(columns) - known):
        shown = ", ".join(sorted(unknown if known and columns else columns))
        raise Invalid(f"the table {table[:200]} is not one of this version's, with {shown[:500]}")


def clear(c: Connection) -> None:
    """Forget all that was copied here, and is not to count."""
    for table in reversed(_present_tables(c)):
        c.run(f"DELETE FROM {table}")


def digest(c: Connection, table: str, columns: Sequence[str] | None = None) -> Digest:
    """Of all columns, or of those."""
    found = Digest()
    for page in read_pages(c, table, columns):
        found = found.plus(page.rows)
    return found


def read_counters(c: Connection) -> dict[str, int]:
    """By table, the last number that was given out; a number is never given twice."""
    found = {}
    for table, column in _counting():
        row = c.row(COUNTER[c.dialect], (table,) if c.dialect == "sqlite" else (table, column))
        if row and row[0]:
            found[table] = int(row[0])
    return found


def write_counters(c: Connection, counters: dict[str, int]) -> None:
    """Go on counting from there."""
    for table, column in _counting():
        last = counters.get(table)
        if last is None:
            continue
        if c.dialect == "postgres":
            c.rows(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), ?)", (last,))
        elif not c.run("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (last, table)):
            c.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))


def check_empty(c: Connection) -> None:
    """Raises Conflict with the name of a table that holds something."""
    for table in _present_tables(c):
        if c.row(f"SELECT 1 FROM {table} LIMIT 1"):
            raise Conflict(f"the database holds data already (table {table})", hint="use an empty one")


def key_of(c: Connection, table: str) -> list[str]:
    """The columns of its primary key."""
    return [row[0] for row in c.rows(KEY[c.dialect], (table,))]


def _present_tables(c: Connection) -> list[str]:
    """Before the last migration they are fewer."""
    return [table for table in copied_tables() if c.row(COLUMNS[c.dialect], (table,))]


def _counting() -> list[tuple[str, str]]:
    return [(table, name) for table in copied_tables() for name, kind in TABLES[table].items() if kind == "serial"]


def _hash(row: Row) -> int:
    data = msgspec.json.encode(row)
    if NUL_IN_JSON in data:
        data = msgspec.json.encode(_storable(row))
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def _storable(row: Sequence[Any]) -> Sequence[Any]:
    """A row that PostgreSQL can keep: of all characters it knows no NUL."""
    if not any(isinstance(value, str) and NUL in value for value in row):
        return row
    return [value.replace(NUL, INSTEAD) if isinstance(value, str) else value for value in row]

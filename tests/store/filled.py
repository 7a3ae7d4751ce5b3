"""Some rows in every table, whatever tables there are."""

from typing import Any

from rota.store import copying
from rota.store.connection import Connection
from rota.store.tables import TABLES

ROWS = 3
# By the type of the column: the nth row's values fit those of the tables that it refers to.
VALUES: dict[str, Any] = {
    "id": lambda n: f"0192f0c1-2d3e-7abc-8def-00000000000{n}",
    "serial": lambda n: n,
    "bigint": lambda n: n,
    "integer": lambda n: n,
    "float8": lambda n: n + 0.1,
    "text": lambda n: f'"ä{n}"',
}


def fill(c: Connection) -> None:
    """The last row of each table has nothing where that is allowed."""
    for table in copying.copied_tables():
        columns = list(TABLES[table])
        copying.write_rows(c, table, columns, [row_of(table, columns, n) for n in range(1, ROWS + 1)])
    copying.write_counters(c, {table: ROWS for table, kinds in TABLES.items() if "serial" in kinds.values()})


def row_of(table: str, columns: list[str], n: int) -> tuple[Any, ...]:
    return tuple(_value(TABLES[table][column], n) for column in columns)


def _value(kind: str, n: int) -> Any:
    return None if kind.endswith("?") and n == ROWS else VALUES[kind.rstrip("?")](n)

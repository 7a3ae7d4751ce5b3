"""An objecttype of the settings, bound to the table that is really there."""

from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from rota.config.records import Objecttype
from rota.core.errors import Unavailable

Condition = sa.ColumnElement[bool]


class Referrer(Struct, frozen=True):
    """A column that holds ids of records."""

    table: sa.Table
    column: sa.Column[Any]

    @property
    def name(self) -> str:
        return f"{self.table.name}.{self.column.name}"


class Bound(Struct, frozen=True, kw_only=True):
    """`fields` are those that searches may look at, by the names of their columns."""

    declared: Objecttype
    table: sa.Table
    id: sa.Column[int]
    label: sa.Column[Any]
    fields: dict[str, sa.Column[Any]]
    referrers: list[Referrer]
    tags: sa.Column[Any] | None = None
    trash: sa.Column[Any] | None = None
    changed: sa.Column[Any] | None = None
    metadata: sa.Column[Any] | None = None

    @property
    def name(self) -> str:
        return self.declared.name

    def needs(self, meaning: str) -> sa.Column[Any]:
        """A column that an operation cannot do without. Raises Unavailable that says what to configure."""
        column: sa.Column[Any] | None = getattr(self, meaning)
        if column is None:
            raise Unavailable(f"[records.objecttypes.{self.name}] of the settings names no column {meaning}")
        return column


def bind(declared: Objecttype, connection: sa.Connection, metadata: sa.MetaData) -> Bound:
    """Reads what the table is like. Raises Unavailable for a table or column that is not there."""
    where = f"[records.objecttypes.{declared.name}]"
    table = _table(declared.table, connection, metadata, where)
    identity = _column(table, declared.id, where)
    if not isinstance(identity.type, sa.Integer):
        raise Unavailable(f"{where}: {declared.id} must be a column of whole numbers")
    label = _column(table, declared.label, where)
    columns = [identity, label, *(_column(table, name, where) for name in declared.fields)]
    for name in declared.mapping:
        _column(table, name, where)
    optional = {name: getattr(declared, name) for name in ("tags", "trash", "changed", "metadata")}
    return Bound(
        declared=declared,
        table=table,
        id=identity,
        label=label,
        fields={column.name: column for column in columns},
        referrers=[_referrer(text, connection, metadata, where) for text in declared.referred_by],
        **{name: _column(table, column, where) for name, column in optional.items() if column is not None},
    )


def _referrer(text: str, connection: sa.Connection, metadata: sa.MetaData, where: str) -> Referrer:
    name, _, column = text.rpartition(".")
    table = _table(name, connection, metadata, where)
    return Referrer(table, _column(table, column, where))


def _table(name: str, connection: sa.Connection, metadata: sa.MetaData, where: str) -> sa.Table:
    """Its columns and its key: all that is needed, and a third of what SQLAlchemy would ask for by itself."""
    if name in metadata.tables:
        return metadata.tables[name]
    schema, _, bare = name.rpartition(".")
    inspector = sa.inspect(connection)
    try:
        columns = inspector.get_columns(bare, schema or None)
        key = set(inspector.get_pk_constraint(bare, schema or None)["constrained_columns"])
    except sa.exc.NoSuchTableError:
        raise Unavailable(f"{where}: there is no table {name}") from None
    made = (sa.Column(each["name"], each["type"], nullable=each["nullable"], primary_key=each["name"] in key) for each in columns)
    return sa.Table(bare, metadata, *made, schema=schema or None)


def _column(table: sa.Table, name: str, where: str) -> sa.Column[Any]:
    if name not in table.c:
        raise Unavailable(f"{where}: {table.name} has no column {name}")
    return table.c[name]

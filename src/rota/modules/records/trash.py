"""What a trash column says, whatever its type."""

from typing import Any

import sqlalchemy as sa

from rota.modules.records.objecttype import Bound, Condition


def in_trash(bound: Bound) -> Condition:
    """Never NULL."""
    column = bound.trash
    if column is None:
        return sa.false()
    if isinstance(column.type, sa.Boolean | sa.Integer):
        return sa.and_(column.is_not(None), column != (False if isinstance(column.type, sa.Boolean) else 0))
    return sa.and_(column.is_not(None), sa.cast(column, sa.String) != "")


def put_in(column: sa.Column[Any]) -> Any:
    """The value that says so; times are the database's own."""
    if isinstance(column.type, sa.Boolean | sa.Integer):
        return True if isinstance(column.type, sa.Boolean) else 1
    if isinstance(column.type, sa.DateTime):
        return sa.func.now()
    return sa.func.current_date() if isinstance(column.type, sa.Date) else sa.cast(sa.func.now(), sa.String)


def take_out(column: sa.Column[Any]) -> Any:
    if isinstance(column.type, sa.Boolean | sa.Integer):
        return False if isinstance(column.type, sa.Boolean) else 0
    return None if column.nullable else ""

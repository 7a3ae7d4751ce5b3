"""The tags of records: a column with a list of numbers, as JSON, as text that holds JSON, or as an array."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.dialects.postgresql import JSONB

from rota.core.errors import Conflict, Unavailable
from rota.modules.records.objecttype import Bound, Condition
from rota.modules.records.tagging import TagChange


class Tagged(Struct, frozen=True):
    """A record whose tags are to be changed."""

    id: int
    tags: Any


def has_tag(column: sa.Column[Any], tag: int, dialect: str) -> Condition:
    """Never NULL."""
    if isinstance(column.type, sa.ARRAY):
        held: Any = sa.literal(tag) == sa.any_(column)
    elif dialect == "postgresql":
        text = sa.func.nullif(sa.cast(column, sa.Text), "")
        held = sa.cast(text, JSONB).op("@>", is_comparison=True)(sa.literal([tag], JSONB))
    elif dialect == "sqlite":
        each = sa.func.json_each(sa.func.nullif(sa.type_coerce(column, sa.Text), "")).table_valued("value")
        return sa.exists(sa.select(sa.literal(1)).select_from(each).where(each.c.value == tag))
    else:
        raise Unavailable(f"tags cannot be searched for in a database of the kind {dialect}")
    return sa.and_(column.is_not(None), sa.func.coalesce(held, sa.false()))


def change_tags(connection: sa.Connection, bound: Bound, records: Iterable[Tagged], change: TagChange) -> int:
    """Writes those that differ from what they were. Returns how many did."""
    column = bound.needs("tags")
    given: list[dict[str, Any]] = []
    for record in records:
        old = read_tags(bound, record)
        new = change.apply(old)
        if new != old:
            given.append({"_id": record.id, "_tags": write_tags(column, new)})
    if given:
        statement = bound.table.update().where(bound.id == sa.bindparam("_id")).values({column: sa.bindparam("_tags")})
        connection.execute(statement, given)
    return len(given)


def read_tags(bound: Bound, record: Tagged) -> list[int]:
    """Raises Conflict for a value that is no list of numbers."""
    value = record.tags
    try:
        if isinstance(value, str):
            value = json.loads(value) if value.strip() else []
        return msgspec.convert(value or [], list[int])
    except (ValueError, msgspec.ValidationError):
        raise Conflict(f"the tags of {bound.name} {record.id} are no list of numbers; nothing of its batch was changed") from None


def write_tags(column: sa.Column[Any], tags: Sequence[int]) -> Any:
    return json.dumps(tags) if isinstance(column.type, sa.String) else list(tags)

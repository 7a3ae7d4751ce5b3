"""Incremental searches: what was changed since a mark that an earlier run left.

A mark is the latest change there was, and the records that had been changed shortly before it: a transaction may end after one
that began later, and then shows changes that are older than the mark. Those seen already are told by id and time.
"""

from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from rota.core.errors import Unavailable
from rota.modules.records.conditions import is_moment, raw
from rota.modules.records.objecttype import Bound, Condition

MARGIN = timedelta(seconds=60)
# More than these are looked at once again, which does no harm.
MOST_RECENT = 1000
# {"at": the latest change, "recent": [[id, change], …]}, as JSON has them
Mark = dict[str, Any]


def take_mark(connection: sa.Connection, bound: Bound, dialect: str) -> Mark | None:
    """Where the next run goes on; None for a table in which nothing was ever changed."""
    column = raw(bound.needs("changed"), dialect)
    latest = connection.execute(sa.select(sa.func.max(column))).scalar()
    if latest is None:
        return None
    query = sa.select(bound.id, column).where(column >= _early(latest)).order_by(column.desc(), bound.id).limit(MOST_RECENT)
    return {"at": _to_json(latest), "recent": [[row[0], _to_json(row[1])] for row in connection.execute(query)]}


def changed_since(bound: Bound, mark: Mark | None, dialect: str) -> Condition:
    """Never NULL. What has no time of a change counts only where there is no mark yet."""
    if mark is None:
        return sa.true()
    declared = bound.needs("changed")
    column = raw(declared, dialect)
    early = _early(_from_json(declared, mark["at"], dialect))
    recent = [(number, _from_json(declared, value, dialect)) for number, value in mark["recent"]]
    seen = sa.tuple_(bound.id, column).in_(recent) if recent else sa.false()
    return sa.and_(declared.is_not(None), column >= early, sa.not_(seen))


def _early(latest: Any) -> Any:
    """SQLite's texts need no margin: it has one writer at a time."""
    return latest - MARGIN if isinstance(latest, datetime) else latest


def _to_json(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | str) and not isinstance(value, bool):
        return value
    raise Unavailable(f"a column changed must hold times or whole numbers, not {type(value).__name__}")


def _from_json(column: sa.Column[Any], value: Any, dialect: str) -> Any:
    if not is_moment(column) or dialect == "sqlite":
        return value
    return date.fromisoformat(value) if isinstance(column.type, sa.Date) else datetime.fromisoformat(value)

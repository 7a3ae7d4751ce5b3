"""Incremental searches: what was changed since a mark that an earlier run left.

A mark is the latest change there was, and the records that had been changed shortly before it: a transaction may end after one
that began later, and then shows changes that are older than the mark. Those seen already are told by id and time.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from rota.core.errors import Unavailable
from rota.modules.records.conditions import is_moment, raw
from rota.modules.records.objecttype import Bound, Condition

MARGIN = timedelta(seconds=60)
# Records that were changed at one moment are few spans of ids as a rule. Beyond these they are found once again, to no harm.
MOST_SPANS = 1000
# The database itself leaves out the longest of them.
MOST_IN_QUERY = 50
Span = tuple[Any, int, int]
# {"at": the latest change, "seen": [[change, first id, last id], …]}, as JSON has them
Mark = dict[str, Any]


class Changes:
    """What is new in one table since a mark; everything, where there is none."""

    def __init__(self, bound: Bound, mark: Mark | None, dialect: str) -> None:
        """Raises Unavailable for an objecttype without a column `changed`."""
        self.column = raw(bound.needs("changed"), dialect)
        self._declared = bound.needs("changed")
        self._id = bound.id
        self._dialect = dialect
        self._latest = None if mark is None else self._from_json(mark["at"])
        self._spans: list[Span] = [] if mark is None else [(self._from_json(at), low, high) for at, low, high in mark["seen"]]
        self._seen: dict[Any, list[tuple[int, int]]] = defaultdict(list)
        for at, low, high in self._spans:
            self._seen[at].append((low, high))

    @property
    def condition(self) -> Condition:
        """Never NULL. What it holds true of is not all new: ask `is_seen`."""
        if self._latest is None:
            return sa.true()
        longest = sorted(self._spans, key=lambda span: span[1] - span[2])[:MOST_IN_QUERY]
        left_out = (sa.and_(self.column == at, self._id.between(low, high)) for at, low, high in longest)
        return sa.and_(self._declared.is_not(None), self.column >= _early(self._latest), *(sa.not_(each) for each in left_out))

    @property
    def doubtful(self) -> Condition:
        """Only records of which this holds may have been seen."""
        return sa.false() if self._latest is None else self.column <= self._latest

    def is_seen(self, number: int, changed: Any) -> bool:
        spans = self._seen.get(_plain(changed), [])
        place = bisect_right(spans, number, key=lambda span: span[0])
        return place > 0 and number <= spans[place - 1][1]

    def take_mark(self, connection: sa.Connection) -> Mark | None:
        """Where the next run goes on; None for a table in which nothing was ever changed."""
        latest = connection.execute(sa.select(sa.func.max(self.column))).scalar()
        if latest is None:
            return None
        query = sa.select(self.column, self._id).where(self.column >= _early(latest)).order_by(self.column.desc(), self._id)
        spans = _spans(connection.execute(query))
        return {"at": _to_json(latest), "seen": [[_to_json(at), low, high] for at, low, high in spans]}

    def _from_json(self, value: Any) -> Any:
        if not is_moment(self._declared) or self._dialect == "sqlite":
            return value
        return date.fromisoformat(value) if isinstance(self._declared.type, sa.Date) else datetime.fromisoformat(value)


def _spans(rows: Iterable[Any]) -> list[Span]:
    """(change, id) in order, as spans of ids that follow each other; the latest, if there are too many."""
    found: list[Span] = []
    for changed, number in rows:
        if found and found[-1][0] == changed and found[-1][2] == number - 1:
            found[-1] = (changed, found[-1][1], number)
        elif len(found) == MOST_SPANS:
            break
        else:
            found.append((changed, number, number))
    return found


def _early(latest: Any) -> Any:
    """SQLite's texts need no margin: it has one writer at a time."""
    return latest - MARGIN if isinstance(latest, datetime) else latest


def _plain(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value


def _to_json(value: Any) -> Any:
    if isinstance(value, date):
        return _plain(value).isoformat()
    if isinstance(value, int | str) and not isinstance(value, bool):
        return value
    raise Unavailable(f"a column changed must hold times or whole numbers, not {type(value).__name__}")

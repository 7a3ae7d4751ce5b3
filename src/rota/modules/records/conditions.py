"""A search as conditions on the table of one objecttype. No condition is ever NULL, so that `must_not` means what it says."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from rota.core.errors import Invalid
from rota.modules.records.objecttype import Bound, Condition
from rota.modules.records.search import Complex, Element, Fulltext, In, Match, Range
from rota.modules.records.tags import has_tag

ID, TAGS = "_system_object_id", "_tags._id"
_KINDS: tuple[tuple[type, str, type | tuple[type, ...]], ...] = (
    (bool, "true or false", bool),
    (int, "a whole number", int),
    (float, "a number", (int, float)),
    (str, "a text", str),
)


def build_condition(bound: Bound, elements: Sequence[Element], dialect: str) -> Condition:
    """Raises Invalid for a value that is none of its column."""
    return _Builder(bound, dialect).all(elements)


def check_fields(bounds: Sequence[Bound], elements: Iterable[Element]) -> None:
    """Raises Invalid for a field that none of these objecttypes has: a search for it would find nothing, and say nothing."""
    for element in elements:
        if isinstance(element, Complex):
            check_fields(bounds, element.search)
        for name in _fields_of(element):
            if not any(_has(bound, name) for bound in bounds):
                known = [ID, TAGS, *dict.fromkeys(field for bound in bounds for field in bound.fields)]
                raise Invalid(f"there is no field {name} to search in; there are {', '.join(known)}")


def _fields_of(element: Element) -> list[str]:
    if isinstance(element, Range):
        return [element.name]
    return [] if isinstance(element, Complex) else element.fields or []


def _has(bound: Bound, name: str) -> bool:
    return (name == TAGS and bound.tags is not None) or find_field(bound, name) is not None


def find_field(bound: Bound, name: str) -> sa.Column[Any] | None:
    """By `column` or `objecttype.column`."""
    if name == ID:
        return bound.id
    return bound.fields.get(name.removeprefix(f"{bound.name}."))


class _Builder:
    def __init__(self, bound: Bound, dialect: str) -> None:
        self._bound = bound
        self._dialect = dialect

    def all(self, elements: Sequence[Element]) -> Condition:
        built = [(element.occur, self._one(element)) for element in elements]
        should = [each for occur, each in built if occur == "should"]
        return sa.and_(
            sa.true(),
            *(each for occur, each in built if occur == "must"),
            *(sa.not_(each) for occur, each in built if occur == "must_not"),
            *([sa.or_(*should)] if should else []),
        )

    def _one(self, element: Element) -> Condition:
        if isinstance(element, Complex):
            return self.all(element.search)
        if isinstance(element, In):
            return self._any(element.fields, lambda column: self._in(column, element.values), element.values)
        if isinstance(element, Match):
            return self._any(element.fields, lambda column: _matches(column, element))
        if isinstance(element, Fulltext):
            return self._fulltext(element)
        return self._any([element.name], lambda column: self._between(column, element))

    def _any(
        self, names: Iterable[str], make: Callable[[sa.Column[Any]], Condition], tags: Sequence[Any] | None = None
    ) -> Condition:
        """`tags` are the values where a field may be that of tags."""
        found = [make(column) for name in names if (column := find_field(self._bound, name)) is not None]
        if TAGS in names:
            found.append(self._tagged(tags))
        return sa.or_(sa.false(), *found)

    def _tagged(self, values: Sequence[Any] | None) -> Condition:
        if values is None or not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            raise Invalid(f"{TAGS} can only be searched for whole numbers, by `in`")
        column = self._bound.tags
        return sa.false() if column is None else sa.or_(*(has_tag(column, value, self._dialect) for value in values))

    def _in(self, column: sa.Column[Any], values: Sequence[Any]) -> Condition:
        given = [self._value(column, value) for value in values if value is not None]
        held = sa.and_(column.is_not(None), self._raw(column).in_(given))
        return sa.or_(held, column.is_(None)) if None in values else held

    def _between(self, column: sa.Column[Any], element: Range) -> Condition:
        raw = self._raw(column)
        low = [] if element.low is None else [raw >= self._value(column, element.low)]
        high = [] if element.high is None else [raw <= self._value(column, element.high)]
        return sa.and_(column.is_not(None), *low, *high)

    def _fulltext(self, element: Fulltext) -> Condition:
        names = element.fields or [name for name, column in self._bound.fields.items() if is_text(column)]
        words = [Match(fields=names, string=word) for word in element.string.split()]
        return sa.and_(*(self._any(names, lambda column, word=word: _matches(column, word)) for word in words))  # type: ignore[misc]

    def _raw(self, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        return raw(column, self._dialect)

    def _value(self, column: sa.Column[Any], value: Any) -> Any:
        """The value as one of the column's type."""
        if is_moment(column):
            return _moment(column, value, self._dialect)
        wanted = _python_type(column)
        if wanted is UUID:
            return _uuid(column, value)
        for kind, words, accepted in _KINDS:
            if wanted is kind and (not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool)):
                raise Invalid(f"{column.name} is compared with {words}, not with {str(value)[:100]!r}")
        return value


def raw(column: sa.Column[Any], dialect: str) -> sa.ColumnElement[Any]:
    """SQLite holds moments as texts in several spellings, and SQLAlchemy would compare with its own."""
    return sa.type_coerce(column, sa.String) if dialect == "sqlite" and is_moment(column) else column


def is_moment(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.DateTime | sa.Date)


def is_text(column: sa.Column[Any]) -> bool:
    """Not an enumeration: SQLAlchemy takes it for a text, and PostgreSQL does not."""
    return isinstance(column.type, sa.String) and not isinstance(column.type, sa.Enum)


def _moment(column: sa.Column[Any], value: Any, dialect: str) -> Any:
    if not isinstance(value, str):
        raise Invalid(f"{column.name} is compared with a time such as 2026-05-30 or 2026-05-30T12:00:00Z")
    if dialect == "sqlite":
        return value
    try:
        return date.fromisoformat(value) if isinstance(column.type, sa.Date) else datetime.fromisoformat(value)
    except ValueError:
        raise Invalid(f"{column.name} is compared with a time such as 2026-05-30 or 2026-05-30T12:00:00Z") from None


def _uuid(column: sa.Column[Any], value: Any) -> UUID:
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise Invalid(f"{column.name} is compared with a UUID, not with {str(value)[:100]!r}") from None


def _python_type(column: sa.Column[Any]) -> type:
    try:
        found = column.type.python_type
    except NotImplementedError:
        return object
    return float if isinstance(column.type, sa.Numeric | sa.Float) else found


def _matches(column: sa.Column[Any], element: Match) -> Condition:
    text = column if is_text(column) else sa.cast(column, sa.String)
    if element.mode == "token":
        held = text.icontains(element.string, autoescape=True)
    else:
        held = text.ilike(_pattern(element.string), escape="/")
    return sa.and_(column.is_not(None), held)


def _pattern(text: str) -> str:
    for sign in "/%_":
        text = text.replace(sign, f"/{sign}")
    return text.replace("*", "%").replace("?", "_")

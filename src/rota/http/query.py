"""The query of a request as a struct."""

from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from msgspec import structs

from rota.core.errors import Invalid, Problem
from rota.ops import reading

T = TypeVar("T")

FIRST_YEAR, LAST_YEAR = 1900, 9990
MOST_FIELDS = 100


def read_query(model: type[T], raw: bytes, *, lenient: bool = False) -> T:
    """Raises Invalid with every problem, at `query.<field>`; for unknown fields too, unless it is lenient."""
    fields = _fields(raw)
    known = [item.encode_name for item in structs.fields(model)]  # type: ignore[arg-type]
    if not lenient:
        reading.check_known(fields, known, "query")
    try:
        query = reading.convert(fields, model, "query", strict=False)
    except Invalid as first:
        raise _with_others(first, fields, model) from None
    problems = [problem for name, value in structs.asdict(query).items() for problem in _check(name, value)]  # type: ignore[arg-type]
    if problems:
        raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)
    return query


def read_form(model: type[T], raw: bytes) -> T:
    """A form as a struct of texts. Raises Invalid at `body.<field>`."""
    return reading.convert(_fields(raw, "body"), model, "body", strict=False)


def _with_others(first: Invalid, fields: dict[str, Any], model: Any) -> Invalid:
    """The same with what is wrong with other fields: reading a struct ends at the first."""
    problems: list[Problem] = []
    for item in structs.fields(model):
        try:
            if item.encode_name in fields:
                reading.convert(fields[item.encode_name], item.type, f"query.{item.encode_name}", strict=False)
        except Invalid as error:
            problems += error.problems
    known = {problem.location for problem in problems}
    problems += [problem for problem in first.problems if problem.location not in known]
    return Invalid(f"{problems[0].location}: {problems[0].message}", problems) if problems else first


def _fields(raw: bytes, at: str = "query") -> dict[str, Any]:
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Invalid.at(at, f"has more than {MOST_FIELDS} fields") from None
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise Invalid.at(f"{at}.{name[:100]}", "is given twice")
        if "\x00" in name or "\x00" in value:
            raise Invalid.at(at, "must not contain a NUL character")
        fields[name] = value
    return fields


def _check(name: str, value: Any) -> list[Problem]:
    if not isinstance(value, datetime):
        return []
    try:
        near = value.tzinfo is not None and FIRST_YEAR <= value.astimezone(UTC).year < LAST_YEAR
    except OverflowError:
        near = False
    message = f"must be a moment such as 2027-03-14T09:00:00Z, between the years {FIRST_YEAR} and {LAST_YEAR}"
    return [] if near else [Problem(f"query.{name}", message, value.isoformat())]

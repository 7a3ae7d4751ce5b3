"""The language of `search`: a part of fylr's that says which records are meant. What is not in it is refused."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from rota.core.errors import Invalid, Problem

Occur = Literal["must", "should", "must_not"]
Text = Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\S")]
FieldName = Annotated[str, Meta(min_length=1, max_length=300)]
Fields = Annotated[list[FieldName], Meta(min_length=1, max_length=50)]
Scalar = str | bool | int | float
MOST_DEEP = 5
MOST_ELEMENTS = 200


class _Element(Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """`bool`: all that are `must` hold, none that is `must_not`, and one at least of those that are `should`."""

    occur: Occur = field(default="must", name="bool")


class In(_Element, frozen=True, kw_only=True, tag="in"):
    """One of the fields has one of the values."""

    fields: Fields
    values: Annotated[list[Scalar | None], Meta(min_length=1, max_length=1000)] = field(name="in")


class Match(_Element, frozen=True, kw_only=True, tag="match"):
    """One of the fields, in whatever case, holds the text, or with `wildcard` is like it (`*` any text, `?` any character)."""

    fields: Fields
    string: Text
    mode: Literal["token", "wildcard"] = "token"


class Fulltext(_Element, frozen=True, kw_only=True, tag="fulltext"):
    """Each word is somewhere in one of the fields; without fields, in the label or any field of text."""

    string: Text
    fields: Fields | None = None


class Range(_Element, frozen=True, kw_only=True, tag="range"):
    """The field is between, both included; one of the two may be left out."""

    name: FieldName = field(name="field")
    low: Scalar | None = field(default=None, name="from")
    high: Scalar | None = field(default=None, name="to")


class Complex(_Element, frozen=True, kw_only=True, tag="complex"):
    """A search in a search."""

    search: Annotated[list["Element"], Meta(min_length=1)]


Element = In | Match | Fulltext | Range | Complex


class Search(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which records (contract §7).

    objecttypes  of these kinds; of any if empty, which needs a `search`
    incremental  only those that were changed since the last run of the task
    """

    search: list[Element] = []
    objecttypes: Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(max_length=100)] = []
    incremental: bool = False


def read_search(value: Any, at: str = "search") -> Search:
    """Raises Invalid that names the place, such as `search.search[0].fields`."""
    if not isinstance(value, dict):
        raise Invalid.at(at, "must be an object with search or objecttypes")
    try:
        search = msgspec.convert(value, Search)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _told(error, at) from None
    problems = list(_problems(search, at))
    if problems:
        raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)
    return search


def find_search_problems(value: Any, at: str = "search") -> list[Problem]:
    try:
        read_search(value, at)
    except Invalid as error:
        return error.problems
    return []


def _problems(search: Search, at: str) -> Iterator[Problem]:
    if not search.search and not search.objecttypes:
        yield Problem(f"{at}.search", "may be empty only if objecttypes is not")
    if len(set(search.objecttypes)) < len(search.objecttypes):
        yield Problem(f"{at}.objecttypes", "must not have an element twice")
    elements = list(_walk(search.search, f"{at}.search", 1))
    if len(elements) > MOST_ELEMENTS:
        yield Problem(f"{at}.search", f"must not have more than {MOST_ELEMENTS} elements, those of complex ones included")
    for place, element, depth in elements:
        if depth > MOST_DEEP:
            yield Problem(place, f"must not be deeper than {MOST_DEEP}")
        if isinstance(element, Range) and element.low is None and element.high is None:
            yield Problem(place, "needs from or to")


def _walk(elements: Sequence[Element], at: str, depth: int) -> Iterator[tuple[str, Element, int]]:
    for number, element in enumerate(elements):
        place = f"{at}[{number}]"
        yield place, element, depth
        if isinstance(element, Complex) and depth <= MOST_DEEP:
            yield from _walk(element.search, f"{place}.search", depth + 1)


def _told(error: Exception, at: str) -> Invalid:
    """msgspec's message, `… - at `$.search[0]`, with its place as ours."""
    message, _, place = str(error).partition(" - at `")
    where = f"{at}{place.removesuffix('`').removeprefix('$')}"
    return Invalid.at(where, message or "is nested too deep")

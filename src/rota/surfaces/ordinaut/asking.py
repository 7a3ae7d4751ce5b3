"""What requests say, read: every problem of a body at once, and ids."""

from typing import Any, TypeVar
from uuid import UUID

from msgspec import structs

from rota.core.errors import Invalid, Problem
from rota.http.routes import Ask
from rota.ops import reading

T = TypeVar("T")


def read_body(document: dict[str, Any], model: type[T], at: str = "body") -> T:
    """A struct out of the fields it knows; others are passed over. Raises Invalid with all that is wrong, not the first alone."""
    values, problems = find_problems(document, model, at)
    if problems:
        raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)
    return model(**values)


def find_problems(document: dict[str, Any], model: type[Any], at: str) -> tuple[dict[str, Any], list[Problem]]:
    """The fields that can be read, by attribute, and what is wrong with the others."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for item in structs.fields(model):
        place = f"{at}.{item.encode_name}"
        if item.encode_name not in document:
            problems += [Problem(place, "is required")] if item.required else []
            continue
        try:
            values[item.name] = reading.convert(document[item.encode_name], item.type, place)
        except Invalid as error:
            problems += error.problems
    return values, problems


def id_of(ask: Ask, name: str) -> str:
    """A UUID of the path, in canonical form. Raises Invalid at `path.<name>`."""
    text = ask.path[name]
    try:
        if len(text) not in (32, 36):
            raise ValueError(text)
        return str(UUID(text))
    except ValueError:
        raise Invalid.at(f"path.{name}", "invalid UUID", text[:100]) from None


def text_or_none(value: UUID | None) -> str | None:
    return None if value is None else str(value)

"""Fields of bodies and queries, read as Django REST framework reads them: the first problem alone is told, nested names joined
by two underscores. Keys that nobody asked for are passed over.

    FIELDS = {"title": Field(text(255)), "device_id": Field(uuid, required=True), "artifacts": Field(list_of(table({...})))}
    read_fields(document, FIELDS)  # the keys that were given, and those with a default
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct

from rota.surfaces.posthog.errors import Wrong

# Reads a value that is not null, at the place of that name. Raises Wrong.
Read = Callable[[Any, str], Any]
INVALID = "invalid_input"
TRUE = frozenset({"t", "true", "y", "yes", "on", "1"})
FALSE = frozenset({"f", "false", "n", "no", "off", "0"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


class Field(Struct, frozen=True):
    """One key. Without a default, a key that is not given is not among what was read.

    null  whether null is a value of its own
    """

    read: Read
    required: bool = False
    null: bool = False
    default: Any = UNSET


Fields = Mapping[str, Field]


def read_fields(document: Any, fields: Fields, at: str = "") -> dict[str, Any]:
    """Raises Wrong for the first field, in the order of `fields`, that cannot be read."""
    if not isinstance(document, dict):
        raise Wrong(INVALID, f"Invalid data. Expected a dictionary, but got {type(document).__name__}.", at or None)
    found: dict[str, Any] = {}
    for name, field in fields.items():
        place = f"{at}__{name}" if at else name
        if name not in document:
            if field.required:
                raise Wrong("required", "This field is required.", place)
            if field.default is not UNSET:
                found[name] = field.default
        elif document[name] is None:
            if not field.null:
                raise Wrong("null", "This field may not be null.", place)
            found[name] = None
        else:
            found[name] = field.read(document[name], place)
    return found


def text(most: int | None = None, *, blank: bool = True, pattern: str | None = None) -> Read:
    """Trimmed. `most`: characters."""

    def read(value: Any, at: str) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Wrong(INVALID, "Not a valid string.", at)
        found = str(value).strip()
        if "\x00" in found:
            raise Wrong("null_characters_not_allowed", "Null characters are not allowed.", at)
        if not found and not blank:
            raise Wrong("blank", "This field may not be blank.", at)
        if most is not None and len(found) > most:
            raise Wrong("max_length", f"Ensure this field has no more than {most} characters.", at)
        if pattern is not None and not re.fullmatch(pattern, found):
            raise Wrong(INVALID, "This value does not match the required pattern.", at)
        return found

    return read


def boolean(value: Any, at: str) -> bool:
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise Wrong(INVALID, "Must be a valid boolean.", at)


def integer(low: int | None = None, high: int | None = None) -> Read:
    def read(value: Any, at: str) -> int:
        if isinstance(value, bool) or not _INTEGER.fullmatch(str(value).strip()):
            raise Wrong(INVALID, "A valid integer is required.", at)
        number = int(value)
        if low is not None and number < low:
            raise Wrong("min_value", f"Ensure this value is greater than or equal to {low}.", at)
        if high is not None and number > high:
            raise Wrong("max_value", f"Ensure this value is less than or equal to {high}.", at)
        if not -(2**63) <= number < 2**63:
            raise Wrong(INVALID, "A valid integer is required.", at)
        return number

    return read


def uuid(value: Any, at: str) -> str:
    """In canonical form."""
    found = find_uuid(value)
    if found is None:
        raise Wrong(INVALID, "Must be a valid UUID.", at)
    return found


def find_uuid(value: Any) -> str | None:
    """The canonical form of 32 hex digits with or without dashes, None for anything else."""
    if not isinstance(value, str) or len(value) not in (32, 36):
        return None
    try:
        return str(UUID(value))
    except ValueError:
        return None


def choice(words: Sequence[str]) -> Read:
    def read(value: Any, at: str) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise Wrong("invalid_choice", f'"{str(value)[:200]}" is not a valid choice.', at)

    return read


def moment(value: Any, at: str) -> datetime:
    """ISO 8601; without an offset it is UTC."""
    try:
        found = datetime.fromisoformat(value.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise Wrong(INVALID, "Datetime has wrong format. Use ISO 8601, such as 2026-06-01T09:30:00Z.", at) from None


def anything(value: Any, _at: str) -> Any:
    """Any JSON but null."""
    return value


def json_object(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong("not_a_dict", f'Expected a dictionary of items but got type "{type(value).__name__}".', at)
    return value


def list_of(item: Read, *, empty: str | None = None, most: int | None = None) -> Read:
    """`empty`: what is said where there is no item; None allows that."""

    def read(value: Any, at: str) -> list[Any]:
        if not isinstance(value, list):
            raise Wrong("not_a_list", f'Expected a list of items but got type "{type(value).__name__}".', at)
        if not value and empty is not None:
            raise Wrong(INVALID, empty, at)
        if most is not None and len(value) > most:
            raise Wrong("max_length", f"Ensure this field has no more than {most} elements.", at)
        return [_item(each, f"{at}__{place}") for place, each in enumerate(value)]

    def _item(value: Any, at: str) -> Any:
        if value is None:
            raise Wrong("null", "This field may not be null.", at)
        return item(value, at)

    return read


def table(fields: Fields) -> Read:
    """An object with fields of its own."""
    return lambda value, at: read_fields(value, fields, at)

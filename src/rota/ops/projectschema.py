"""The JSON Schema that final outputs of a task's runs are held to: what may be one."""

from typing import Any

import msgspec

from rota.core.errors import Invalid, Problem
from rota.tools import schema

MOST_BYTES = 64 * 1024
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def check_json_schema(given: Any) -> None:
    """Raises Invalid at `body.json_schema` for what is no JSON Schema, is too large, or refers outside of itself."""
    if isinstance(given, bool):
        return
    if not isinstance(given, dict):
        raise _refused("A JSON Schema is an object or a boolean.")
    if len(msgspec.json.encode(given)) > MOST_BYTES:
        raise _refused(f"Ensure this schema has no more than {MOST_BYTES} bytes.")
    try:
        if _refers_outside(given):
            raise _refused("References must stay within the document: $ref has to begin with #.")
        schema.check_schema(given)
    except ValueError as error:
        raise _refused(f"Not a valid JSON Schema: {error}") from None
    except RecursionError:
        raise _refused("The schema is nested too deeply.") from None


def _refers_outside(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_refers_outside, value))
    if not isinstance(value, dict):
        return False
    away = any(isinstance(value.get(name), str) and not value[name].startswith("#") for name in REFERENCES)
    return away or any(map(_refers_outside, value.values()))


def _refused(message: str) -> Invalid:
    return Invalid(message, [Problem("body.json_schema", message)])

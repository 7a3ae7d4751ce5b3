"""Values held to JSON Schemas."""

import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

LONGEST = 500


def find_problem(schema: Mapping[str, Any], value: Any) -> str | None:
    """Why a value does not fit, with its place; None if it does. The schema is one that `check_schema` lets pass."""
    if not schema:
        return None
    error = next(iter(_validator(msgspec.json.encode(schema)).iter_errors(value)), None)
    if error is None:
        return None
    place = ".".join(str(step) for step in error.absolute_path)
    return f"{place}: {error.message}"[:LONGEST] if place else str(error.message)[:LONGEST]


def is_loaded() -> bool:
    return "jsonschema.validators" in sys.modules


def check_schema(schema: Any) -> None:
    """Raises ValueError for what is no JSON Schema."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    if not isinstance(schema, dict):
        raise ValueError("a schema is an object")
    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"is no JSON Schema: {error.message[:LONGEST]}") from None


def load() -> None:
    """What it takes: a tenth of a second, best spent in a thread."""
    import referencing  # noqa: F401


@lru_cache(maxsize=1024)
def _validator(schema: bytes) -> Any:
    # Loaded when something is first held to a schema. The empty registry fetches nothing over the network.
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    document = msgspec.json.decode(schema)
    return validator_for(document, Draft202012Validator)(document, registry=Registry())

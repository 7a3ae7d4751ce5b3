"""Templates of agents: `{key}` is a variable's value, `{{` and `}}` are braces (NLA §7.4)."""

import json
import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]")


class BadTemplate(ValueError):
    """A variable that is not there, or a brace that stands alone."""


def render(template: str, variables: Mapping[str, Any]) -> str:
    """The text with its variables filled in; what is filled in is not looked at again. Raises BadTemplate."""

    def fill(found: re.Match[str]) -> str:
        if found[1] is not None:
            return _value(found[1], variables)
        if found[0] in ("{{", "}}"):
            return found[0][0]
        raise BadTemplate(f"{found[0]!r} at character {found.start() + 1} stands alone; a brace as such is written twice")

    return _TOKEN.sub(fill, template)


def names(template: str) -> set[str]:
    """The variables that a template names."""
    return {found[1] for found in _TOKEN.finditer(template) if found[1] is not None}


def to_text(value: Any) -> str:
    """Text stands as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(key: str, variables: Mapping[str, Any]) -> str:
    if key not in variables:
        raise BadTemplate(f"there is no variable {key!r}")
    return to_text(variables[key])

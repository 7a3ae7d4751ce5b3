"""Settings that are being written: units with their keys, and what a person has to check."""

import json
import re
from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct, field

# What the next person should look at stands beside the unit.
CHECK = "# check: "


class Entry(Struct):
    """One unit. An `is_off` one is written as comments: it cannot be carried over as it is."""

    kind: Literal["tasks", "services"]
    name: str
    keys: dict[str, Any] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)
    is_off: bool = False


class Draft(Struct):
    """All units of a source; `checks` concern it as a whole."""

    entries: list[Entry] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)

    def render(self, source: str) -> str:
        """The settings file."""
        head = [
            f"# Made from {' '.join(source.split())}, which goes on as it is until you disable it.",
            *map(_checked, self.checks),
        ]
        return "\n".join(["\n".join(head), *map(_rendered, self.entries)]) + "\n"


def unique_names(entries: Iterable[Entry]) -> None:
    """Give units that have one name numbers behind it."""
    taken: set[str] = set()
    for entry in entries:
        base, number = entry.name, 2
        while entry.name in taken:
            entry.name, number = f"{base}-{number}", number + 1
        taken.add(entry.name)


def name_of(text: str, otherwise: str) -> str:
    """A name out of any text."""
    return re.sub(r"[^A-Za-z0-9._:-]+", "-", text).strip("-.")[:90] or otherwise


def _checked(text: str) -> str:
    return CHECK + " ".join(text.split())


def _rendered(entry: Entry) -> str:
    table = [f"[{entry.kind}.{_key(entry.name)}]", *(f"{key} = {_value(value)}" for key, value in entry.keys.items())]
    lines = "\n".join(table).split("\n")
    body = ["# " + line for line in lines] if entry.is_off else lines
    return "\n".join(["", *map(_checked, entry.checks), *body])


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
        case dict():
            return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    text = str(value)
    if "\n" in text and "'''" not in text and text.replace("\n", "").isprintable():
        return f"'''\n{text}'''"
    return _text(text)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

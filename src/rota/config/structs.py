"""Tables that are read straight into a struct of the core."""

import re
from typing import Any, get_args

import msgspec

from rota.config.document import Table
from rota.config.findings import nearest

_AT = re.compile(r"^(.*?)(?: - at `(?:key in )?\$(.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")


def read_struct(table: Table, values: Any, wanted: Any, *below: str) -> Any:
    """`values`, which stand at `below` in the table, as the struct or union of structs wanted; None after an error."""
    try:
        return msgspec.convert(values, wanted)
    except msgspec.ValidationError as error:
        match = _AT.match(str(error))
        message, path = (match[1], match[2] or "") if match else (str(error), "")
        unknown = _UNKNOWN.match(message)
        steps = [*below, *_steps(path), *([unknown[1]] if unknown else [])]
        table.error(_explained(message, unknown, wanted), *steps, on_key=unknown is not None, quotes=unknown is None)
        return None


def _steps(path: str) -> list[str | int]:
    """`.entries[0].hours` as steps; an element whose number is not told ends them."""
    steps: list[str | int] = []
    for name, number in _STEP.findall(path):
        if number == "...":
            break
        steps.append(int(number) if number else name)
    return steps


def _explained(message: str, unknown: re.Match[str] | None, wanted: Any) -> str:
    if unknown:
        return f"unknown key{nearest(unknown[1], _fields(wanted))}"
    return message[:1].lower() + message[1:].replace("`", "")


def _fields(wanted: Any) -> list[str]:
    """The keys of a struct, or of all structs of a union."""
    structs = get_args(wanted) or (wanted,)
    names = [name for struct in structs for name in getattr(struct, "__struct_encode_fields__", ())]
    return list(dict.fromkeys(["kind", *names]))

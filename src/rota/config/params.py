"""The `params` of a task: definitions of what a run may be given, or default values (RunWisp §11)."""

from typing import Any, Literal

from msgspec import Struct

from rota.config.document import Table
from rota.config.kinds import BOOLEAN, LABEL, TEXT, BadValue, Kind, enum, list_of, said_as
from rota.core.inputs import Input, check_inputs, plain_text

KINDS: tuple[Literal["env", "arg", "option", "flag"], ...] = ("env", "arg", "option", "flag")


class Params(Struct, frozen=True):
    """`inputs` None lets a run be given anything."""

    inputs: list[Input] | None
    values: dict[str, Any]


def _plain(value: Any) -> str:
    try:
        return plain_text(value)
    except ValueError as error:
        raise BadValue(f"{error}, not {said_as(value)}") from None


PLAIN = Kind("string, number or boolean", _plain, _plain)
MODIFIERS = {
    "default": PLAIN,
    "required": BOOLEAN,
    "choices": list_of(PLAIN),
    "allow_custom": BOOLEAN,
    "type": enum("string", "number"),
    "description": TEXT,
}


def read_params(table: Table, *, unattended: bool) -> Params:
    """What stands under `params`, its errors told at their places.

    A list is RunWisp's: definitions. A table is ours: values of every run, which a start may override. With neither, a script
    takes nothing and any other executor whatever it is given.
    """
    if isinstance(table.values.get("params"), dict):
        return Params(None, dict(table.values["params"]))
    if "params" not in table.values:
        return Params([] if "run" in table.values else None, {})
    entries = list(table.children("params"))
    inputs = [_read_input(entry) for entry in entries]
    known = [item for item in inputs if item is not None]
    if len(known) == len(inputs):
        _report_problems(table, entries, known, unattended)
    return Params(known, {})


def _read_input(entry: Table) -> Input | None:
    kinds = [kind for kind in KINDS if kind in entry.values]
    entry.refuse_unknown([*KINDS, *MODIFIERS])
    if len(kinds) != 1:
        entry.error(f"needs exactly one of {', '.join(KINDS)}")
        return None
    kind = kinds[0]
    key = entry.read(kind, LABEL)
    values = {name: entry.read(name, modifier) for name, modifier in MODIFIERS.items()}
    if kind == "flag" and "type" in entry.values:
        entry.error("a flag has no type", "type", on_key=True)
    return (
        None if key is None else Input(kind=kind, key=key, **{name: value for name, value in values.items() if value is not None})
    )


def _report_problems(table: Table, entries: list[Table], inputs: list[Input], unattended: bool) -> None:
    taken = {name for key in ("env", "secrets") for name in _names(table.values.get(key))}
    for problem in check_inputs(inputs, unattended=unattended, taken=taken):
        number, _, field = problem.location.partition(".")
        entry = entries[int(number)]
        key = inputs[int(number)].kind if field == "key" else field
        if field != "type":
            entry.error(problem.message, key)


def _names(values: Any) -> list[str]:
    return list(values) if isinstance(values, dict) else []

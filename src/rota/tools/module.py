"""`module.<name>`: modules as tools of pipelines."""

from collections.abc import Mapping, Sequence
from typing import Any

from rota.core.module import Definition, Parameter, ParameterType, text_in
from rota.modules.catalogue import Catalogue
from rota.tools.base import Call, Schema, Tool

# Modules are for longer work; a step says otherwise by `timeout_seconds`.
TIMEOUT_S = 3600.0
_TYPES: dict[ParameterType, Mapping[str, Any]] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "text": {"type": "string"},
    "bool": {"type": "boolean"},
    "select": {"type": "string"},
    "json": {},
    "int-list": {"type": "array", "items": {"type": "integer"}},
    "text-list": {"type": "array", "items": {"type": "string"}},
    "secret": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}


class ModuleTools:
    """All modules there are; each is a tool for owners with the right `system.task`."""

    prefix = "module."

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def find(self, name: str) -> Tool | None:
        definition = self._catalogue.find(name.removeprefix(self.prefix))
        return _tool(definition) if definition else None

    async def list_tools(self) -> Sequence[Tool]:
        return [_tool(definition) for definition in self._catalogue.list()]

    async def close(self) -> None:
        """The pool has the workers."""


def input_schema(definition: Definition) -> Schema:
    """JSON Schema of a module's parameters."""
    parameters = definition.parameters
    return {
        "type": "object",
        "properties": {name: _property(parameter) for name, parameter in parameters.items()},
        "required": [name for name, parameter in parameters.items() if parameter.required],
        "additionalProperties": False,
    }


def _tool(definition: Definition) -> Tool:
    return Tool(
        name=ModuleTools.prefix + definition.name,
        description=text_in(definition.description) or text_in(definition.displayname),
        call=_call,
        input_schema=input_schema(definition),
        right="system.task",
        timeout_s=TIMEOUT_S,
    )


async def _call(call: Call) -> Any:
    return await call.run_module(call.tool.removeprefix(ModuleTools.prefix), call.arguments)


def _property(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {**_TYPES[parameter.type]}
    if parameter.options is not None:
        found["enum"] = [*parameter.options, *([None] if parameter.nullable else [])]
    of_element = found.get("items")
    bounded = {**of_element} if of_element else found
    for name, bound in (("minimum", parameter.minimum), ("maximum", parameter.maximum)):
        if bound is not None:
            bounded[name] = bound
    unit = "Items" if of_element else "Length"
    for name, length in (("min", parameter.min_length), ("max", parameter.max_length)):
        if length is not None:
            found[name + unit] = length
    if of_element:
        found["items"] = bounded
    more = {"pattern": parameter.pattern, "uniqueItems": parameter.unique or None, "description": text_in(parameter.description)}
    found.update((name, value) for name, value in more.items() if value)
    if parameter.nullable and "type" in found:
        found["type"] = [found["type"], "null"]
    return found

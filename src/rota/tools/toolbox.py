"""All tools of one server: found by name, checked, described, called."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from msgspec import Struct

from rota.core.actor import Actor, Right
from rota.core.errors import Invalid, Problem
from rota.core.work import Pipeline
from rota.providers import Providers
from rota.tools import schema
from rota.tools.base import Call, Family, Schema, Tool, ToolFault
from rota.tools.mcp import McpServers
from rota.tools.schema import find_problem


class ToolInfo(Struct, frozen=True, kw_only=True):
    """A tool as it is shown."""

    name: str
    description: str
    input_schema: Schema
    output_schema: Schema
    right: Right | None = None
    scopes: Sequence[str] = ()


class Toolbox:
    """Tools by name, and families of them by the beginning of the name.

    namespaces  first words of names that may be saved before there is such a tool
    servers     the MCP servers of the settings
    llms        the providers of language models; None where there is no server

    Raises Invalid for a name that is given twice.
    """

    def __init__(
        self,
        tools: Sequence[Tool] = (),
        families: Sequence[Family] = (),
        *,
        simulate_unknown: bool = False,
        namespaces: Collection[str] = (),
        servers: McpServers | None = None,
        llms: Providers | None = None,
    ) -> None:
        self.servers = servers or McpServers([])
        self.llms = llms
        self._tools: dict[str, Tool] = {}
        self._families = families
        self._simulate = simulate_unknown
        self._namespaces = frozenset(namespaces)
        for tool in tools:
            if tool.name in self._tools or any(tool.name.startswith(family.prefix) for family in families):
                raise Invalid(f"the tool {tool.name} is defined twice")
            self._tools[tool.name] = tool

    def find(self, name: str) -> Tool | None:
        if name in self._tools:
            return self._tools[name]
        family = next((family for family in self._families if name.startswith(family.prefix)), None)
        return family.find(name) if family else None

    def get(self, name: str, work: Pipeline) -> Tool:
        """The tool, or what stands for an unknown one. Raises ToolFault."""
        found = self.find(name)
        if found is None and not self._simulates(work):
            raise ToolFault(f"there is no tool {name}", "ToolNotFound")
        return found or Tool(name=name, description="Stands for a tool that is not there.", call=_simulated)

    def check(self, work: Pipeline, actor: Actor) -> list[Problem]:
        """What keeps this actor from having this pipeline: at `steps.<i>.uses`."""
        return [
            Problem(f"steps.{index}.uses", why, step.uses)
            for index, step in enumerate(work.steps)
            if (why := self._refusal(step.uses, work, actor))
        ]

    def unknown(self, work: Pipeline) -> list[str]:
        """Tools of a pipeline that are not there, each once, in its order."""
        return list(dict.fromkeys(step.uses for step in work.steps if self.find(step.uses) is None))

    def describe(self) -> list[ToolInfo]:
        """The registered ones, by name; not those of families."""
        return [_info(tool) for _, tool in sorted(self._tools.items())]

    async def describe_families(self) -> list[ToolInfo]:
        """Those of families, as they are at this moment."""
        return [_info(tool) for family in self._families for tool in await family.list_tools()]

    async def call(self, tool: Tool, call: Call) -> Any:
        """Carry a call out. Raises ToolFault."""
        if not schema.is_loaded():
            await asyncio.to_thread(schema.load)
        problem = find_problem(tool.input_schema, call.arguments)
        if problem:
            raise ToolFault(f"{tool.name} cannot take this: {problem}", "InputValidationError")
        try:
            output = await tool.call(call)
        except ToolFault:
            raise
        except Exception as error:
            raise ToolFault(f"{tool.name}: {type(error).__name__}: {error}") from error
        problem = find_problem(tool.output_schema, output)
        if problem:
            raise ToolFault(f"{tool.name} answered what it should not: {problem}", "OutputValidationError")
        return output

    async def close(self) -> None:
        for family in self._families:
            await family.close()

    def _simulates(self, work: Pipeline) -> bool:
        """A pipeline may be stricter than the settings, never laxer."""
        return self._simulate and work.options.unknown_tools != "fail"

    def _refusal(self, name: str, work: Pipeline, actor: Actor) -> str | None:
        tool = self.find(name)
        if tool is None:
            may_come = self._simulates(work) or name.partition(".")[0] in self._namespaces
            return None if may_come else f"there is no tool {name[:200]!r}"
        if tool.right and not actor.has(tool.right):
            return f"{name} needs the right {tool.right}"
        missing = [] if actor.is_root or actor.scopes is None else [each for each in tool.scopes if each not in actor.scopes]
        return f"{name} needs the scopes {', '.join(missing)}" if missing else None


async def _simulated(call: Call) -> dict[str, Any]:
    """As Ordinaut 2 answers for every tool (§5.4)."""
    return {
        "status": "simulated",
        "tool_address": call.tool,
        "input_args": call.arguments,
        "timestamp": call.now,
        "message": f"Tool {call.tool} is not known here; nothing was done",
    }


def _info(tool: Tool) -> ToolInfo:
    shown: Iterator[Any] = (getattr(tool, name) for name in ToolInfo.__struct_fields__)
    return ToolInfo(**dict(zip(ToolInfo.__struct_fields__, shown, strict=True)))

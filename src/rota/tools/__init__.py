"""What a step of a pipeline can call: one file per tool, all built-in ones in one list, more by families and entry points."""

from collections.abc import Iterator, Sequence

from rota.outgoing import Outgoing
from rota.tools import debug, events, http, shell, task
from rota.tools.base import Call, Family, Platform, Script, ScriptResult, Tool, ToolFault
from rota.tools.catalogue import read_catalogue
from rota.tools.entrypoints import load_entry_points
from rota.tools.mcp import McpServer, McpServers
from rota.tools.toolbox import Toolbox, ToolInfo

__all__ = [
    "Call",
    "Family",
    "McpServer",
    "McpServers",
    "Outgoing",
    "Platform",
    "Script",
    "ScriptResult",
    "Tool",
    "ToolFault",
    "ToolInfo",
    "Toolbox",
    "build_tools",
    "load_entry_points",
    "read_catalogue",
]


def build_tools(outgoing: Outgoing, *, with_shell: bool = False) -> Sequence[Tool]:
    """All built-in tools. `shell.run` only where the operator allows it."""
    return list(_each(outgoing, with_shell))


def _each(outgoing: Outgoing, with_shell: bool) -> Iterator[Tool]:
    yield debug.ECHO
    yield debug.LOG
    yield debug.NOOP
    yield debug.ECHO_TEST
    yield http.request_tool(outgoing)
    yield events.PUBLISH
    yield task.RUN
    if with_shell:
        yield shell.RUN

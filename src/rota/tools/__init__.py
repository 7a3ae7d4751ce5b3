"""What a step of a pipeline can call: one file per tool, all built-in ones in one list, more by families and entry points."""

from collections.abc import Iterator, Sequence

from rota import config
from rota.config import Settings
from rota.modules.catalogue import Catalogue
from rota.outgoing import Outgoing
from rota.providers import build_providers
from rota.tools import debug, events, http, shell, task
from rota.tools.base import Call, Family, Platform, Script, ScriptResult, Tool, ToolFault
from rota.tools.catalogue import catalogue_tools, find_servers, read_catalogue
from rota.tools.entrypoints import load_entry_points
from rota.tools.llm import LanguageModels
from rota.tools.mcp import McpServer, McpServers
from rota.tools.mcp import Session as McpSession
from rota.tools.module import ModuleTools
from rota.tools.toolbox import Toolbox, ToolInfo

__all__ = [
    "Call",
    "Family",
    "McpServer",
    "McpServers",
    "McpSession",
    "Outgoing",
    "Platform",
    "Script",
    "ScriptResult",
    "Tool",
    "ToolFault",
    "ToolInfo",
    "Toolbox",
    "build_toolbox",
    "build_tools",
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


def build_toolbox(settings: Settings, outgoing: Outgoing, modules: Catalogue | None = None) -> Toolbox:
    """Everything that the settings, the catalogue, modules and other packages bring. Raises Invalid for what cannot be used."""
    entries = read_catalogue(settings.tools.catalog) if settings.tools.catalog else []
    servers = McpServers([*(_server(each) for each in settings.mcp), *find_servers(entries)])
    tools = [
        *build_tools(outgoing, with_shell=settings.tools.shell),
        *load_entry_points(),
        *catalogue_tools(entries, outgoing, servers.find),
    ]
    told = settings.tools
    llms = build_providers(settings.providers, outgoing)
    return Toolbox(
        tools,
        [servers, LanguageModels(llms), ModuleTools(modules or Catalogue())],
        simulate_unknown=told.simulate_unknown,
        namespaces=told.namespaces,
        servers=servers,
        llms=llms,
    )


def _server(told: config.McpServer) -> McpServer:
    return McpServer(
        name=told.name,
        command=told.command,
        env={name: value.reveal() for name, value in told.env.items()},
        working_dir=told.working_dir,
        url=told.url,
        headers={name: value.reveal() for name, value in told.headers.items()},
        connect_timeout_s=told.connect_timeout,
    )

"""`[mcp.servers.NAME]`: MCP servers whose tools pipelines can call."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from rota.config.document import Table
from rota.config.kinds import ENV, PATH, SCRIPT, URL, Kind, expect, list_of, text_kind
from rota.config.quantities import duration
from rota.config.secret import Secret


def _parse_headers(value: Any) -> dict[str, str]:
    expect(dict, value, "a table of strings")
    for text in value.values():
        expect(str, text, "a table of strings")
    return dict(value)


def _endpoint(text: str) -> str:
    URL.from_text(text)
    return text  # whole: with or without a slash at its end are two


ENDPOINT = text_kind("http(s) URL", _endpoint)
HEADERS = Kind("table of strings", _parse_headers, _parse_headers)
SERVER_KEYS: dict[str, tuple[Kind, str]] = {
    "command": (list_of(SCRIPT, non_empty=True), "Program and arguments of a server that speaks over stdio."),
    "env": (ENV, "Its variables, beside `HOME`, `PATH` and their like."),
    "working_dir": (PATH, "Where it is started."),
    "url": (ENDPOINT, "A server that speaks streamable HTTP. Exactly one of `command` and `url`."),
    "headers": (HEADERS, "Sent with each request, such as `Authorization`."),
    "connect_timeout": (duration(positive=True), "How long it may take to answer first. 30s unless given."),
}
OF_COMMAND, OF_URL = ("env", "working_dir"), ("headers",)


class McpServer(Struct, frozen=True, kw_only=True):
    """Variables and headers may hold secrets."""

    name: str
    command: tuple[str, ...] = ()
    env: dict[str, Secret] = {}
    working_dir: str | None = None
    url: str | None = None
    headers: dict[str, Secret] = {}
    connect_timeout: float = 30.0


def read_servers(root: Table) -> Iterator[McpServer]:
    """Errors go to the document's findings."""
    section = root.child("mcp")
    if section is None:
        return
    section.refuse_unknown(["servers"])
    servers = section.child("servers")
    for name in servers.values if servers is not None else ():
        table = servers.child(name) if servers is not None else None
        if table is not None:
            yield from _read_server(name, table)


def _read_server(name: str, table: Table) -> Iterator[McpServer]:
    before = len(table.document.findings.errors)
    table.check_name()
    table.refuse_unknown(SERVER_KEYS)
    values = {key: value for key, (kind, _) in SERVER_KEYS.items() if (value := table.read(key, kind)) is not None}
    if ("command" in table.values) == ("url" in table.values):
        table.error("needs command or url, one of them")
    for key in OF_URL if "command" in table.values else OF_COMMAND:
        if key in table.values:
            table.error(f"is for servers with {'url' if key in OF_URL else 'command'}", key, on_key=True)
    if len(table.document.findings.errors) == before:
        yield McpServer(name=name, **_stored(table, values))


def _stored(table: Table, values: dict[str, Any]) -> dict[str, Any]:
    hidden: dict[str, Any] = {
        key: {name: Secret(text) for name, text in values[key].items()} for key in ("env", "headers") if key in values
    }
    paths = {"working_dir": str(table.document.resolve(values["working_dir"]))} if "working_dir" in values else {}
    command = {"command": tuple(values["command"])} if "command" in values else {}
    return {**values, **hidden, **paths, **command}

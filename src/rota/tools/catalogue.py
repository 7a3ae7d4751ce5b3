"""Tools that a catalogue file describes (Ordinaut §5.4): called over HTTP, as a child process, or on an MCP server."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from rota.core.errors import Invalid
from rota.outgoing import Failed, Outgoing
from rota.process.environment import inherited
from rota.tools.base import BEHIND_S, Call, Tool, ToolFault
from rota.tools.mcp import PREFIX, McpServer
from rota.tools.schema import check_schema

MOST_BYTES = 1024 * 1024
LINE_BYTES = 16 * 1024 * 1024

FindTool = Callable[[str], Tool | None]


class Entry(Struct, frozen=True, kw_only=True):
    """One tool of a catalogue. `server` is the name of an MCP server, or `name@url`."""

    address: Annotated[str, Meta(min_length=1, pattern=r"\S")]
    transport: Literal["http", "mcp", "stdio"]
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    endpoint: str | None = None
    server: str | None = None
    executable: list[str] = []
    timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    scopes: list[str] = []
    description: str = ""


class Catalogue(Struct):
    tools: list[Entry]


def read_catalogue(path: Path) -> list[Entry]:
    """Raises Invalid that tells what is wrong with the file."""
    try:
        text = path.read_bytes()
        found = msgspec.json.decode(text, type=Catalogue | list[Entry])
        entries = found.tools if isinstance(found, Catalogue) else found
        for entry in entries:
            _check(entry)
    except (OSError, ValueError) as error:
        raise Invalid(f"the catalogue of tools {path}: {error}") from None
    return entries


def find_servers(entries: Sequence[Entry]) -> list[McpServer]:
    """The MCP servers that a catalogue names with their URLs."""
    pairs = {name: url for entry in entries if entry.server for name, at, url in [entry.server.partition("@")] if at}
    return [McpServer(name=name, url=url) for name, url in pairs.items()]


def catalogue_tools(entries: Sequence[Entry], outgoing: Outgoing, find_mcp: FindTool) -> Iterator[Tool]:
    """The entries as tools. Raises Invalid for one on an MCP server that nobody knows."""
    for entry in entries:
        yield Tool(
            name=entry.address,
            description=entry.description,
            call=_caller(entry, outgoing, find_mcp),
            input_schema=entry.input_schema,
            output_schema=entry.output_schema,
            scopes=entry.scopes,
            timeout_s=entry.timeout_seconds,
        )


def _check(entry: Entry) -> None:
    needed = {"http": entry.endpoint, "mcp": entry.server, "stdio": entry.executable}[entry.transport]
    if not needed:
        names = {"http": "endpoint", "mcp": "server", "stdio": "executable"}
        raise ValueError(f"{entry.address} needs {names[entry.transport]}")
    for schema in (entry.input_schema, entry.output_schema):
        try:
            check_schema(schema)
        except ValueError as error:
            raise ValueError(f"a schema of {entry.address} {error}") from None


def _caller(entry: Entry, outgoing: Outgoing, find_mcp: FindTool) -> Any:
    if entry.transport == "http":
        return lambda call: _over_http(entry, outgoing, call)
    if entry.transport == "stdio":
        return lambda call: _over_stdio(entry, call)
    server = (entry.server or "").partition("@")[0]
    tool = find_mcp(f"{PREFIX}{server}.{entry.address.removeprefix(f'{server}.')}")
    if tool is None:
        raise Invalid(f"the catalogue's tool {entry.address} is on an MCP server {server} that nobody knows")
    return tool.call


async def _over_http(entry: Entry, outgoing: Outgoing, call: Call) -> Any:
    headers = {"content-type": "application/json", "idempotency-key": call.key}
    body = msgspec.json.encode(_request(call, {}))
    try:
        answer = await outgoing.request(
            "POST", entry.endpoint or "", headers, body, trusted=True, timeout_s=call.timeout_s + BEHIND_S, max_bytes=MOST_BYTES
        )
    except Failed as error:
        raise ToolFault(f"{entry.address}: {error}") from None
    if not 200 <= answer.status < 300:
        raise ToolFault(f"{entry.address}: HTTP status {answer.status}")
    return _result(entry, answer.body)


async def _over_stdio(entry: Entry, call: Call) -> Any:
    """One request, one answer, one child."""
    process = await asyncio.create_subprocess_exec(
        *entry.executable,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        limit=LINE_BYTES,
        env={**inherited(os.environ), "ROTA_IDEMPOTENCY_KEY": call.key},
    )
    try:
        assert process.stdin and process.stdout  # noqa: S101  pipes were asked for
        process.stdin.write(msgspec.json.encode(_request(call, {"name": entry.address})) + b"\n")
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()
        line = await process.stdout.readline()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return _result(entry, line)


def _request(call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call.key, "method": "tools/call", "params": {**params, "arguments": call.arguments}}


def _result(entry: Entry, text: bytes) -> Any:
    try:
        answer = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ToolFault(f"{entry.address}: the answer is not JSON") from None
    if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
        raise ToolFault(f"{entry.address}: the answer is not one of JSON-RPC")
    if answer.get("error") is not None:
        error = answer["error"]
        raise ToolFault(f"{entry.address}: {error.get('message', error) if isinstance(error, dict) else error}"[:500])
    return answer["result"]

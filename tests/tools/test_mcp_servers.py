"""Tools of real MCP servers, over stdio and streamable HTTP."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.free_port import free_port
from tests.pipeline_workbench import Bench, Done

from rota.tools import McpServer, McpServers

pytestmark = pytest.mark.e2e

PROGRAM = str(Path(__file__).with_name("mcp_server.py"))
PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, PROGRAM, str(port)], stderr=subprocess.DEVNULL)
    try:
        asyncio.run(asyncio.wait_for(_listens(port), PATIENCE_S))
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(params=["stdio", "http"])
def server(request: pytest.FixtureRequest) -> McpServer:
    if request.param == "stdio":
        return McpServer(name="small", command=(sys.executable, PROGRAM))
    return McpServer(name="small", url=request.getfixturevalue("url"))


def pipe(folder: Path, server: McpServer, *steps: dict[str, Any], **fields: Any) -> Done:
    return Bench(folder, steps, families=[McpServers([server])], **fields).carry_out()


def test_steps_call_its_tools_in_one_session(tmp_path, server):
    done = pipe(
        tmp_path,
        server,
        {"uses": "mcp.small.add", "with": {"a": "${params.a}", "b": 3}, "save_as": "sum"},
        {"uses": "mcp.small.pid", "save_as": "first"},
        {"uses": "mcp.small.pid", "save_as": "second"},
        {"uses": "mcp.small.note", "with": {"text": "sum=${steps.sum.text}", "folder": str(tmp_path)}},
        params={"a": 2},
        work={"options": {"typed_templates": True}},
    )
    assert done.outcome.state == "succeeded", done.outcome
    steps = done.outcome.output["steps"]
    assert (steps["sum"]["text"], steps["sum"]["structured"]) == ("5", {"result": 5})
    assert steps["first"]["text"] == steps["second"]["text"]
    text, key = (tmp_path / "notes").read_text().split()
    assert (text, key.endswith(".3")) == ("sum=5", True)


@pytest.mark.parametrize(
    ("step", "error_type", "words"),
    [
        ({"uses": "mcp.small.nothing"}, "ToolNotFound", "has no tool nothing"),
        ({"uses": "mcp.small.add", "with": {"a": "x", "b": 1}}, "InputValidationError", "integer"),
        ({"uses": "mcp.small.breaks"}, "ToolFailed", "breaks"),
        ({"uses": "mcp.small.hangs", "timeout_seconds": 1}, "ToolTimeout", "within 1 s"),
        ({"uses": "mcp.other.add"}, "ToolNotFound", "no tool mcp.other.add"),
    ],
)
def test_its_failures_are_told(tmp_path, url, step, error_type, words):
    done = pipe(tmp_path, McpServer(name="small", url=url), step)
    assert done.summary["error_type"] == error_type
    assert words in str(done.outcome.error)


def test_one_family_opens_a_broken_session_anew_and_leaves_no_process(tmp_path):
    async def work() -> None:
        family = McpServers([McpServer(name="small", command=(sys.executable, PROGRAM))])
        assert {tool.name for tool in await family.list_tools()} >= {"mcp.small.add", "mcp.small.hangs"}
        before = _children()
        assert len(before) == 1
        os.kill(next(iter(before)), 9)
        names = [tool.name for tool in await _until_listed(family)]
        assert "mcp.small.add" in names
        assert before.isdisjoint(_children())
        await family.close()
        assert _children() == set()

    asyncio.run(asyncio.wait_for(work(), PATIENCE_S))


class Forgetful:
    """A server of the older protocol, which keeps sessions, and has lost them all when it was started anew."""

    def __init__(self) -> None:
        self.sessions: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                status, said, more = self._answer(json.loads(body or b"{}"), fields.get("mcp-session-id"))
                text = json.dumps(said) if said else ""
                kind = "content-type: application/json\r\n" if said else ""
                writer.write(f"HTTP/1.1 {status} X\r\n{kind}{more}content-length: {len(text)}\r\n\r\n{text}".encode())
                await writer.drain()
        writer.close()

    def _answer(self, asked: dict[str, Any], session: str | None) -> tuple[int, Any, str]:
        if asked.get("method") == "initialize":
            self.sessions.add(name := f"s{id(asked)}")
            told = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "x", "version": "1"}}
            return 200, {"jsonrpc": "2.0", "id": asked["id"], "result": told}, f"mcp-session-id: {name}\r\n"
        if session not in self.sessions:
            return 404, None, ""
        if asked.get("method") == "tools/list":
            tools = [{"name": "add", "inputSchema": {"type": "object"}}]
            return 200, {"jsonrpc": "2.0", "id": asked["id"], "result": {"tools": tools}}, ""
        return (405 if "method" not in asked else 202), None, ""


def test_a_session_that_its_server_does_not_know_any_more_is_opened_anew():
    async def work() -> None:
        forgetful, port = Forgetful(), free_port()
        async with await asyncio.start_server(forgetful.serve, "127.0.0.1", port):
            family = McpServers([McpServer(name="old", url=f"http://127.0.0.1:{port}/mcp")])
            for _ in range(2):
                assert [tool.name for tool in await _until_listed(family)] == ["mcp.old.add"]
                forgetful.sessions.clear()
            await family.close()

    asyncio.run(asyncio.wait_for(work(), PATIENCE_S))


def test_a_server_that_cannot_be_reached_says_so(tmp_path):
    for server in (McpServer(name="small", command=("/nowhere/program",)), McpServer(name="small", url="http://127.0.0.1:9/mcp")):
        done = pipe(tmp_path, server, {"uses": "mcp.small.add"})
        assert done.summary["error_type"] == "ToolFailed"
        assert "MCP server small" in str(done.outcome.error)


async def _until_listed(family: McpServers) -> Any:
    """The death of a server may be noticed only by the next call."""
    while not (found := await family.list_tools()):  # noqa: ASYNC110  it can only be asked
        await asyncio.sleep(0.01)
    return found


async def _listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


def _children() -> set[int]:
    """Living servers that we have started, over stdio."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid() and fields[0] != "Z" and (folder / "cmdline").read_text().endswith(f"{PROGRAM}\0"):
                found.add(int(folder.name))
        except OSError:
            continue
    return found

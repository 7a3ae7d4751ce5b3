"""A whole server in this process, with real listeners, and assistants that speak MCP with it through the SDK's own client."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from msgspec import Struct
from tests.asking import new_key
from tests.databases import environ_of
from tests.running import running

import rota
from rota.datadir import SOCKET
from rota.http.listeners import Listeners
from rota.ops.context import Rota
from rota.server import Source
from rota.surfaces import CONTROL, SURFACES, mounted

PIPELINE = {
    "kind": "pipeline",
    "steps": [
        {"id": "say", "uses": "debug.echo", "with": {"greeting": "hello ${params.name}"}, "save_as": "said"},
        {"id": "tell", "uses": "debug.log", "with": {"message": "${steps.said.greeting}"}},
    ],
}


class Assistant:
    """One client. Answers are the structured ones, which the SDK has held to the tool's schema."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def ask(self, tool: str, **arguments: Any) -> Any:
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        return result.structured_content

    async def refused(self, tool: str, **arguments: Any) -> Any:
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error
        return result.structured_content


class Place(Struct):
    url: str
    rota: Rota
    data: Path

    async def key(self, name: str, *rights: str) -> str:
        return await new_key(self.rota, name, *rights)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Place]:
    """All loops, a listener at a free port, and the control socket."""
    data = folder / "data"
    source = Source(None, {"ROTA_CONFIG": "", "PATH": os.environ["PATH"]}, {"server.data": str(data)})
    async with running(source) as rota:
        listeners = Listeners()
        where = listeners.listen("127.0.0.1:0", mounted(rota, SURFACES))
        listeners.listen_unix(data / SOCKET, mounted(rota, CONTROL))
        await listeners.start()
        try:
            yield Place(f"http://{where}/mcp", rota, data)
        finally:
            rota.bus.wake("closing")
            await listeners.stop()


async def until(look: Callable[[], bool]) -> None:
    while not look():  # noqa: ASYNC110  there is nothing to wait for but the loop's next round
        await asyncio.sleep(0)


@asynccontextmanager
async def over_http(url: str, key: str, mode: str = "auto") -> AsyncIterator[Assistant]:
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        create_mcp_http_client(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode, cache=None) as client,
    ):
        yield Assistant(client)


@asynccontextmanager
async def over_stdio(data: Path, **environ: str) -> AsyncIterator[Assistant]:
    """`python -m rota mcp`, in a process of its own."""
    places = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(rota.__path__[0]).parent)}
    words = ["-m", "rota", "mcp", "--data", str(data)]
    command = StdioServerParameters(
        command=sys.executable, args=words, env=places | environ_of(data) | environ, cwd=str(data.parent)
    )
    async with Client(command, cache=None) as client:
        yield Assistant(client)

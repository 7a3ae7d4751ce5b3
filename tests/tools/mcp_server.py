"""A small MCP server written with the official SDK: `python mcp_server.py` over stdio, `… PORT` over streamable HTTP."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("small")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
def note(text: str, folder: str, ctx: Context) -> str:
    """Writes down what it was told, and with which key."""
    meta: Any = ctx.request_context.meta or {}
    with (Path(folder) / "notes").open("a") as file:
        file.write(f"{text} {meta.get('rota/idempotencyKey')}\n")
    return "noted"


@server.tool()
def breaks() -> str:
    """Fails."""
    raise ValueError("it broke")


@server.tool()
def pid() -> int:
    """The number of this process."""
    return os.getpid()


@server.tool()
def dies() -> str:
    """Ends the server."""
    os._exit(3)


@server.tool()
async def hangs() -> str:
    """Never answers."""
    await asyncio.Event().wait()
    return ""


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")

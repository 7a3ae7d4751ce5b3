"""A small asyncio HTTP client: one connection for requests, one for a stream of events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from bench.server import Server


class Connection:
    """Keeps one connection open; a request at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> "Connection":
        self._pair = await asyncio.open_connection("127.0.0.1", self._server.port)
        return self

    async def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The body of the answer. Raises RuntimeError for an answer that is an error."""
        assert self._pair
        reader, writer = self._pair
        writer.write(_request(self._server, method, path, body))
        head = await reader.readuntil(b"\r\n\r\n")
        text = await reader.readexactly(_length(head))
        if int(head[9:12]) >= 400:
            raise RuntimeError(f"{method} {path}: {head[9:12].decode()} {text.decode()}")
        return text

    def close(self) -> None:
        assert self._pair
        self._pair[1].close()


async def events(server: Server, path: str) -> AsyncIterator[tuple[str, Any]]:
    """Kind and data of each server-sent event; first an empty kind, when the stream is open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(_request(server, "GET", path, b""))
        await reader.readuntil(b"\r\n\r\n")
        yield "", None
        kind = ""
        while line := await reader.readline():
            if line.startswith(b"event: "):
                kind = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                yield kind, msgspec.json.decode(line[6:])
    finally:
        writer.close()


def _request(server: Server, method: str, path: str, body: bytes) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: rota\r\nAuthorization: Bearer {server.key}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0

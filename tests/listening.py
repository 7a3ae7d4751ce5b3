"""Reads server-sent events of an app as they come, which no in-process HTTP client can."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message, Scope


class Heard(NamedTuple):
    id: str | None
    kind: str
    data: Any


class Listener:
    """The client's end of one stream. Comments are left out."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._buffer = b""
        self.status = 0
        self.heartbeats = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            await self._chunks.put(message["body"])
            if not message.get("more_body"):
                await self._chunks.put(None)

    async def receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        self._gone.set()

    async def begun(self) -> None:
        """Until the server has said its first word, so that it listens itself."""
        await self._read()

    async def next(self) -> Heard | None:
        """The next event; None at the end of the stream."""
        while True:
            block, found, rest = self._buffer.partition(b"\n\n")
            if not found:
                if not await self._read():
                    return None
                continue
            self._buffer = rest
            if block.startswith(b":"):
                self.heartbeats += 1
                continue
            return _parse(block.decode())

    async def all(self) -> list[Heard]:
        heard = []
        while (each := await self.next()) is not None:
            heard.append(each)
        return heard

    async def ended(self) -> None:
        """Until the server has ended it, whatever it says before."""
        while await self._read():
            pass

    async def _read(self) -> bool:
        chunk = await self._chunks.get()
        self._buffer += chunk or b""
        return chunk is not None


@asynccontextmanager
async def listening(app: ASGIApp, path: str, **headers: str) -> AsyncIterator[Listener]:
    """`path` may have a query. The stream is left at the end, and the app is done with it by then."""
    path, _, query = path.partition("?")
    listener = Listener()
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
    }
    serving = asyncio.ensure_future(app(scope, listener.receive, listener.send))
    try:
        await listener.begun()
        yield listener
    finally:
        listener.leave()
        await serving


def _parse(block: str) -> Heard:
    fields = dict(line.split(": ", 1) for line in block.splitlines())
    return Heard(fields.get("id"), fields["event"], json.loads(fields["data"]))

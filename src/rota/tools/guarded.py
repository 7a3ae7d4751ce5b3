"""The way of the MCP SDK's HTTP client to targets that somebody gave over an API: through the guard of outgoing calls."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import httpx2

from rota.outgoing import Outgoing, Streamed

# A server may hold a response open for events that come when they come.
IDLE_S = 300.0
# An answer, or a stream of events, is read up to here.
MOST_BYTES = 32 * 1024 * 1024
# Written by the call itself.
OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


def guarded_client(outgoing: Outgoing, headers: Mapping[str, str]) -> httpx2.AsyncClient:
    """Follows no redirects."""
    return httpx2.AsyncClient(headers=dict(headers), transport=_Transport(outgoing), timeout=IDLE_S)


class _Transport(httpx2.AsyncBaseTransport):
    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises Refused and Failed."""
        stack = AsyncExitStack()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in OWN_HEADERS}
        calling = self._outgoing.stream(request.method, str(request.url), headers, await request.aread(), idle_s=IDLE_S)
        answer = await stack.enter_async_context(calling)
        # None was asked for, and a little of one can hold any amount.
        told = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
        return httpx2.Response(answer.status, headers=told, stream=_Body(answer, stack))


class _Body(httpx2.AsyncByteStream):
    """The answer's body, and the connection that goes with it."""

    def __init__(self, answer: Streamed, stack: AsyncExitStack) -> None:
        self._answer = answer
        self._stack = stack

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in self._answer.chunks():
            received += len(chunk)
            if received > MOST_BYTES:
                raise httpx2.ReadError(f"the answer is larger than {MOST_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stack.aclose()

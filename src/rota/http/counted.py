"""Connections that are too many are told so, and ended."""

import asyncio

from rota.http.room import Room

# One that is refused is told so when it asks; so many are waited for, and so long.
MOST_REFUSALS = 64
REFUSAL_S = 1.0
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 30\r\nconnection: close\r\n\r\ntoo many connections are open\n"
)


class Counted(asyncio.Protocol):
    """Stands before a protocol of HTTP: each connection takes a place of the room."""

    room: Room | None = None
    transport: asyncio.Transport
    _is_refused = False
    _refusal: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        excess = self.room.enter() if self.room else 0
        if excess > 0:
            self._refuse_later(excess)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.room:
            self.room.leave()
        if self._refusal:
            self._refusal.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            self.transport.write(FULL)
            self.transport.close()
            return
        super().data_received(data)

    def _refuse_later(self, excess: int) -> None:
        """Once it has asked: an answer before that may be lost when the connection is closed."""
        self._is_refused = True
        if excess > MOST_REFUSALS:
            self.transport.abort()
        else:
            self._refusal = asyncio.get_running_loop().call_later(REFUSAL_S, self.transport.abort)

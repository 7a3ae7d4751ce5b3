"""Connections that bring an endless head or none are ended before they use the server up."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rota.http.counted import Counted

# Request line and headers. What comes with the last of them in one read is not counted.
MOST_HEAD_BYTES = 64 * 1024
HEAD_S = 30.0


class GuardedProtocol(Counted, HttpToolsProtocol):
    """HTTP/1.1 by httptools, which would keep a head of any length, for any time, on any number of connections."""

    head_s = HEAD_S
    _head_bytes = 0
    _is_in_head = True
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self._is_refused:
            self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_in_head and not self._is_refused:
            if self._head_bytes > MOST_HEAD_BYTES:
                self.transport.abort()
                return
            self._head_bytes += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._begin_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def _begin_head(self) -> None:
        self._is_in_head, self._head_bytes = True, 0
        self._stop_timer()
        self._timer = self.loop.call_later(self.head_s, self._give_up)

    def _give_up(self) -> None:
        self.transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

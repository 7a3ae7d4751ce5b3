"""What a handler answers with."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct
from starlette.types import Send

encode = msgspec.json.Encoder().encode
JSON = b"application/json"

# No page of any site may frame, embed or sniff an answer, and no cache may keep it.
SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]


class Reply(Struct, frozen=True):
    """One whole answer. `headers` come beside the content type, the length and the security headers."""

    status: int
    body: bytes
    media_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self._headers()})
        await send({"type": "http.response.body", "body": self.body})

    def _headers(self) -> list[tuple[bytes, bytes]]:
        if self.status == HTTPStatus.NO_CONTENT:
            return [*SECURITY_HEADERS, *self.headers]
        length = (b"content-length", b"%d" % len(self.body))
        return [(b"content-type", self.media_type), length, *SECURITY_HEADERS, *self.headers]


class PieceReply(Struct, frozen=True):
    """One whole answer that is sent piece by piece; `length` in bytes, where it is known before."""

    pieces: AsyncGenerator[bytes]
    media_type: bytes
    length: int | None = None
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send) -> None:
        length = [] if self.length is None else [(b"content-length", b"%d" % self.length)]
        headers = [(b"content-type", self.media_type), *length, *SECURITY_HEADERS, *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        async with aclosing(self.pieces) as pieces:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class EventReply(Struct, frozen=True):
    """An answer that goes on: server-sent events, each chunk one or more of them whole.

    lost  is over when the asker may not be shown them any more; no handler has to say so
    """

    chunks: AsyncGenerator[bytes]
    lost: Callable[[], Coroutine[Any, Any, None]] | None = None


def ok(value: Any, *headers: tuple[str, str]) -> Reply:
    return Reply(200, encode(value), JSON, _encoded(headers))


def created(value: Any, location: str, *headers: tuple[str, str]) -> Reply:
    return Reply(201, encode(value), JSON, _encoded((("Location", location), *headers)))


def no_content() -> Reply:
    return Reply(204, b"")


def _encoded(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.lower().encode(), value.encode("latin-1")) for name, value in headers)

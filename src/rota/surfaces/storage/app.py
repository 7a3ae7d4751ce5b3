"""Uploads by signed forms and downloads by signed links, for artifacts that are kept in the data directory. Nobody logs in."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from functools import partial
from typing import cast
from xml.sax.saxutils import escape

from starlette.types import ASGIApp, Receive, Scope, Send

from rota.blobs import Blobs, LocalBlobs, StorageRefused
from rota.core.artifact import FORM_BYTES, MOST_BYTES
from rota.core.errors import NotFound, RotaError, Unavailable
from rota.http.attachment import attachment, read_range
from rota.http.errors import log
from rota.http.limits import ClientGone
from rota.http.reply import PieceReply, Reply
from rota.ops.context import Rota

XML = b"application/xml"
# So much is taken to the disk at once: fewer hops between threads, and never much in memory.
CHUNK_BYTES = 512 * 1024
# A client that sends nothing for so long is not waited for.
IDLE_S = 60.0
# No form that we sign allows a larger body; fields and boundaries come on top.
MOST_BODY = MOST_BYTES + 2 * FORM_BYTES
TOO_LARGE = ("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
AnyReply = Reply | PieceReply


def app(rota: Rota) -> ASGIApp:
    """Answers as S3 does, its errors too. Where artifacts are kept elsewhere there is nothing here."""
    blobs = rota.blobs

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive)
        try:
            reply = await _answer_or_refuse(blobs, scope, body)
        except ClientGone:
            return
        await reply.send(send)

    return serve


async def _answer_or_refuse(blobs: Blobs, scope: Scope, body: "_Body") -> AnyReply:
    try:
        return await _answer(blobs, scope, body)
    except ClientGone:
        raise
    except Exception as error:
        await body.drain()
        return _refusal(error, scope)


async def _answer(blobs: Blobs, scope: Scope, body: "_Body") -> AnyReply:
    if not isinstance(blobs, LocalBlobs):
        raise StorageRefused("NoSuchBucket", "Artifacts are not kept here.", 404)
    key = str(scope["path"]).removeprefix(str(scope.get("root_path", ""))).removeprefix("/")
    if scope["method"] == "POST" and not key:
        return await _upload(blobs, scope, body)
    if scope["method"] in ("GET", "HEAD") and key:
        return await _download(blobs, scope, key)
    raise StorageRefused("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)


async def _upload(blobs: LocalBlobs, scope: Scope, body: "_Body") -> Reply:
    from rota.surfaces.storage.form import FormReader  # late: its parser is loaded with the first upload

    headers = dict(scope["headers"])
    told = headers.get(b"content-length", b"0")
    if not told.isdigit() or len(told) > 18 or int(told) > MOST_BODY:
        raise StorageRefused(*TOO_LARGE)
    reader = FormReader(headers.get(b"content-type", b""), partial(blobs.read_form, await blobs.signer()))
    try:
        async for chunk in body.chunks():
            await asyncio.to_thread(reader.feed, chunk)
        await asyncio.to_thread(reader.finish)
    finally:
        await asyncio.to_thread(reader.abort)
    return Reply(204, b"")


async def _download(blobs: LocalBlobs, scope: Scope, key: str) -> PieceReply:
    name = (await blobs.signer()).read_link(key, scope["query_string"])
    held = await blobs.head(key)
    if held is None:
        raise NotFound("there is no such object")
    try:
        wanted = read_range(_header(scope, b"range"), held.size)
    except ValueError:
        raise StorageRefused("InvalidRange", "The requested range is not satisfiable", 416) from None
    first, last = wanted or (0, held.size - 1)
    size, pieces = last - first + 1, _nothing()
    if scope["method"] == "GET":
        content = await blobs.get(key, first, last)
        size, pieces = content.size, content.pieces
    return attachment(name, pieces, size, held.size if wanted else None, first, (b"accept-ranges", b"bytes"))


async def _nothing() -> AsyncGenerator[bytes]:
    for piece in cast("tuple[bytes, ...]", ()):
        yield piece


class _Body:
    """What a client sends, read only as far as it is wanted, and never further than the largest form goes."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_over = False
        self._left = MOST_BODY  # a body that comes in chunks does not say its length

    async def chunks(self) -> AsyncIterator[bytes]:
        """In larger pieces. Raises ClientGone, and StorageRefused for a client that does not go on."""
        held = bytearray()
        while not self._is_over:
            held += await self._next()
            if self._is_over or len(held) >= CHUNK_BYTES:
                yield bytes(held)
                held.clear()

    async def drain(self) -> None:
        """Let a client send what it has begun: many read the answer only then."""
        with suppress(StorageRefused):
            while not self._is_over:
                await self._next()

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(IDLE_S):
                message = await self._receive()
        except TimeoutError:
            self._is_over = True
            raise StorageRefused("RequestTimeout", "Nothing was read from the connection within the timeout period.") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._is_over = not message.get("more_body")
        data = bytes(message.get("body", b""))
        self._left -= len(data)
        if self._left < 0:
            self._is_over = True
            raise StorageRefused(*TOO_LARGE)
        return data


def _refusal(error: Exception, scope: Scope) -> Reply:
    match error:
        case StorageRefused():
            told = error
        case NotFound():
            told = StorageRefused("NoSuchKey", "The specified key does not exist.", 404)
        case Unavailable():
            log.error("an upload failed", why=error.message)
            told = StorageRefused("ServiceUnavailable", "Please try again later.", 503)
        case RotaError():
            told = StorageRefused("InvalidArgument", error.message)
        case _:
            log.error("a request failed", exc_info=error)
            told = StorageRefused("InternalError", "We encountered an internal error. Please try again.", 500)
    path = escape(str(scope["path"]))
    text = f"<Error><Code>{told.word}</Code><Message>{escape(told.message)}</Message><Resource>{path}</Resource></Error>"
    return Reply(told.status, b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode("utf-8", "replace"), XML)


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)

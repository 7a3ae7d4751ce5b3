"""How much a request may bring, and reading it up to that."""

from starlette.types import Receive

from rota.core.errors import Invalid, TooLarge

MAX_BODY = 10 * 1024 * 1024


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


async def read_body(headers: dict[bytes, bytes], receive: Receive, most: int = MAX_BODY) -> bytes:
    """The whole body. Raises TooLarge as soon as that is known, and ClientGone."""
    told = headers.get(b"content-length", b"0")
    if not told.isdigit():
        raise Invalid.at("header.Content-Length", "is not a number")
    if len(told) > 18 or int(told) > most:
        raise _too_large(most)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body"):
        return _checked(body, most)
    chunks, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            raise _too_large(most)
    if message["type"] == "http.disconnect":
        raise ClientGone
    return _checked(b"".join(chunks), most)


def _checked(body: bytes, most: int) -> bytes:
    if len(body) > most:
        raise _too_large(most)
    return body


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"the body is larger than {most // 1024 // 1024} MiB")

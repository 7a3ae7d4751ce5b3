"""Files of others in an answer: to be stored, never to be shown by a browser under our name."""

import re
from collections.abc import AsyncGenerator
from http import HTTPStatus
from urllib.parse import quote

from rota.http.reply import PieceReply

BINARY = b"application/octet-stream"
_PLAIN = re.compile(r"[^A-Za-z0-9 ._()+-]")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def attachment(
    name: str, pieces: AsyncGenerator[bytes], size: int, whole: int | None = None, first: int = 0, *headers: tuple[bytes, bytes]
) -> PieceReply:
    """A file. `whole`: its size where only `size` bytes of it from `first` on are sent (RFC 9110 §15.3.7).

    It says nothing of what it holds, so that nothing in it is ever run.
    """
    told = [(b"content-disposition", disposition(name)), *headers]
    if whole is not None:
        told.append((b"content-range", b"bytes %d-%d/%d" % (first, first + size - 1, whole)))
    status = HTTPStatus.OK if whole is None else HTTPStatus.PARTIAL_CONTENT
    return PieceReply(pieces, BINARY, size, int(status), tuple(told))


def disposition(name: str) -> bytes:
    """Content-Disposition (RFC 6266): the name as it is, and one for those that know only ASCII."""
    plain = _PLAIN.sub("_", name).strip() or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}".encode("ascii")


def read_range(text: str | None, whole: int) -> tuple[int, int] | None:
    """The first and the last byte of the one range that is asked for (RFC 9110 §14.2); None where all of them are to be sent.

    Raises ValueError for one that has none of the bytes.
    """
    match = _RANGE.fullmatch(text.strip().lower()) if text else None
    if match is None or not (match[1] or match[2]):
        return None
    first = int(match[1]) if match[1] else max(0, whole - int(match[2]))
    last = int(match[2]) if match[1] and match[2] else whole - 1
    if match[1] and match[2] and last < first:
        return None
    if first >= whole:
        raise ValueError(text)
    return first, min(last, whole - 1)

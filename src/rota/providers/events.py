"""Server-sent events out of chunks of bytes, wherever those are cut."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from rota.providers.base import ProviderFault


class Event(NamedTuple):
    """`kind` is empty where the stream names none."""

    kind: str
    data: str


async def read_events(chunks: AsyncIterator[bytes], most_bytes: int) -> AsyncIterator[Event]:
    """Whole events only: what a stream breaks off in is none. Raises ProviderFault for a line longer than `most_bytes`."""
    kind = ""
    data: list[str] = []
    async for line in _lines(chunks, most_bytes):
        if not line:
            if data:
                yield Event(kind, "\n".join(data))
            kind, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)


async def _lines(chunks: AsyncIterator[bytes], most_bytes: int) -> AsyncIterator[str]:
    rest = b""
    async for chunk in chunks:
        # A line break of two bytes may be cut in two; the first is not taken before the second is there.
        text = (rest + chunk).replace(b"\r\n", b"\n")
        end = text.endswith(b"\r")
        *lines, rest = (text[:-1] if end else text).replace(b"\r", b"\n").split(b"\n")
        rest += b"\r" if end else b""
        if len(rest) > most_bytes:
            raise ProviderFault("a line of its stream has no end", is_passing=True)
        for line in lines:
            yield line.decode(errors="replace")

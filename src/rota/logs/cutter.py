"""Cuts the chunks of one stream into blocks of whole lines."""

from typing import NamedTuple

MAX_LINE_BYTES = 64 * 1024


class Block(NamedTuple):
    """Whole lines, in two parts so that a held partial line need not be joined with the chunk that ends it."""

    head: bytes
    body: bytes | memoryview
    lines: int
    continued: bool

    @property
    def length(self) -> int:
        return len(self.head) + len(self.body)

    def joined(self) -> bytes:
        return self.head + self.body


class LineCutter:
    """Holds a partial line until its newline comes.

    A line over 64 KiB becomes several, the later ones continued; where depends on the bytes alone, not on how they were chunked.
    """

    def __init__(self) -> None:
        self._partial = bytearray()
        self._continued = False

    def feed(self, chunk: bytes) -> list[Block]:
        cut = chunk.rfind(b"\n") + 1
        if not cut and len(self._partial) + len(chunk) <= MAX_LINE_BYTES:
            self._partial += chunk
            return []
        if not cut or self._has_long_line(chunk, cut):
            return self._feed_long(bytes(self._partial) + chunk)
        block = Block(bytes(self._partial), memoryview(chunk)[:cut], chunk.count(b"\n"), self._continued)
        self._partial = bytearray(memoryview(chunk)[cut:])
        self._continued = False
        return [block]

    def flush(self) -> list[Block]:
        """Ends the partial line, if there is one."""
        if not self._partial:
            return []
        block = Block(bytes(self._partial), b"\n", 1, self._continued)
        self.drop()
        return [block]

    @property
    def held(self) -> bytes:
        """The partial line, which goes on being held."""
        return bytes(self._partial)

    def take(self) -> bytes:
        """The partial line, which is then no longer held."""
        partial = bytes(self._partial)
        self.drop()
        return partial

    def drop(self) -> None:
        """Forgets the partial line."""
        self._partial = bytearray()
        self._continued = False

    def _has_long_line(self, chunk: bytes, cut: int) -> bool:
        first = chunk.find(b"\n") if self._partial else -1
        return (
            len(self._partial) + first > MAX_LINE_BYTES
            or len(chunk) - cut > MAX_LINE_BYTES
            or (cut > MAX_LINE_BYTES and _short_run_end(chunk, first + 1) < cut)
        )

    def _feed_long(self, data: bytes) -> list[Block]:
        blocks: list[Block] = []
        start = 0
        while True:
            end = _short_run_end(data, start)
            if end > start:
                blocks.append(Block(b"", data[start:end], data.count(b"\n", start, end), self._continued))
                self._continued = False
            if len(data) - end <= MAX_LINE_BYTES:
                self._partial = bytearray(data[end:])
                return blocks
            start = _character_border(data, end + MAX_LINE_BYTES)
            blocks.append(Block(data[end:start], b"\n", 1, self._continued))
            self._continued = True


def _short_run_end(data: bytes, start: int) -> int:
    """Where the lines from `start` stop being short: one search per 64 KiB, not per line."""
    while (newline := data.rfind(b"\n", start, start + MAX_LINE_BYTES + 1)) >= 0:
        start = newline + 1
    return start


def _character_border(data: bytes, at: int) -> int:
    """The nearest place at or before `at` that is not inside a UTF-8 character."""
    for back in range(4):
        if data[at - back] & 0xC0 != 0x80:
            return at - back
    return at

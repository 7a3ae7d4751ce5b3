"""The side index of a log segment: which bytes are which lines of which stream, and when they came."""

import os
import zlib
from struct import Struct as Layout
from typing import Literal, NamedTuple, get_args

# Their numbers stand in the files: a new one goes to the end. A line of `entry` is one JSON object (core.entry).
Stream = Literal["stdout", "stderr", "system", "entry"]
STREAMS: tuple[Stream, ...] = get_args(Stream)
STREAM_CODES: dict[Stream, int] = {stream: code for code, stream in enumerate(STREAMS)}

CONTINUED = 1  # record flag: its first line goes on the line before it
FULL = 1  # header flag: the size cap ended recording
ENDED = 2  # header flag: the run is over, nothing will be added

RECORD_BYTES = 40
_RECORD = Layout("<QQqIIBBxx")
_HEADER = Layout("<8sQ")
_CHECK = Layout("<I")
_MAGIC = b"rotalog1"
_FLAGS_AT = 24  # one byte outside the checked part, so that it can be set in place even on a full disk


class Record(NamedTuple):
    """Some whole lines of one stream that came at one time, `offset` bytes into the segment."""

    first_line: int
    offset: int
    at_ms: int
    length: int
    lines: int
    stream: int
    flags: int

    @property
    def end(self) -> int:
        return self.offset + self.length

    @property
    def next_line(self) -> int:
        return self.first_line + self.lines


class Header(NamedTuple):
    """The number of the segment's first line, and its flags."""

    first_line: int
    flags: int


def write_header(fd: int, first_line: int) -> None:
    fixed = _HEADER.pack(_MAGIC, first_line)
    body = fixed + _CHECK.pack(zlib.crc32(fixed))
    os.pwrite(fd, body.ljust(RECORD_BYTES, b"\0"), 0)


def write_flags(fd: int, flags: int) -> None:
    os.pwrite(fd, bytes([flags]), _FLAGS_AT)


def find_header(fd: int) -> Header | None:
    """The header, or None if the file has no whole one."""
    block = os.pread(fd, RECORD_BYTES, 0)
    fixed, check = block[: _HEADER.size], block[_HEADER.size : _HEADER.size + _CHECK.size]
    if len(block) < RECORD_BYTES or not block.startswith(_MAGIC) or check != _CHECK.pack(zlib.crc32(fixed)):
        return None
    return Header(_HEADER.unpack(fixed)[1], block[_FLAGS_AT])


def read_first_line(block: bytes) -> int | None:
    """The number that the first block of an index says, or None if that is no header."""
    fixed = block[: _HEADER.size]
    is_header = len(block) >= RECORD_BYTES and block.startswith(_MAGIC)
    return _HEADER.unpack(fixed)[1] if is_header else None


def count_records(fd: int) -> int:
    """Whole records after the header; a torn last one does not count."""
    return max(0, os.fstat(fd).st_size // RECORD_BYTES - 1)


def write_record(fd: int, position: int, record: Record) -> None:
    """Raises OSError also when only a part could be written."""
    fixed = _RECORD.pack(*record)
    if os.pwrite(fd, fixed + _CHECK.pack(zlib.crc32(fixed)), (position + 1) * RECORD_BYTES) < RECORD_BYTES:
        raise OSError("the log index could not be written in full")


def find_record(fd: int, position: int) -> Record | None:
    """The record at `position`, or None if it is absent or damaged."""
    return _decode(os.pread(fd, RECORD_BYTES, (position + 1) * RECORD_BYTES))


def list_records(fd: int, start: int, end: int) -> list[Record]:
    """The intact records at positions `start` up to but not including `end`."""
    block = os.pread(fd, (end - start) * RECORD_BYTES, (start + 1) * RECORD_BYTES)
    decoded = (_decode(block[at : at + RECORD_BYTES]) for at in range(0, len(block), RECORD_BYTES))
    return [record for record in decoded if record is not None]


def _decode(block: bytes) -> Record | None:
    fixed, check = block[: _RECORD.size], block[_RECORD.size :]
    if len(block) < RECORD_BYTES or check != _CHECK.pack(zlib.crc32(fixed)):
        return None
    return Record(*_RECORD.unpack(fixed))

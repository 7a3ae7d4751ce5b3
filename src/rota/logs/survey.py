"""What a segment on disk really holds, after whatever happened to its files."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from rota.logs.index import ENDED, FULL, STREAM_CODES, Record, count_records, find_header, find_record

BLOCK_BYTES = 256 * 1024


class Survey(NamedTuple):
    """The intact part of an index, and the size of the data. Bytes from `indexed_bytes` on have no record."""

    first_line: int
    flags: int
    records: int
    last: Record | None
    data_bytes: int
    data_at_ms: int

    @property
    def indexed_bytes(self) -> int:
        return self.last.end if self.last else 0

    @property
    def next_line(self) -> int:
        return self.last.next_line if self.last else self.first_line

    @property
    def full(self) -> bool:
        return bool(self.flags & FULL)

    @property
    def ended(self) -> bool:
        return bool(self.flags & ENDED)


def survey(data_fd: int, index_fd: int, first_line: int) -> Survey:
    """Reads the index before the size of the data, which is written first: so records never speak of later bytes.

    `first_line` stands in for a missing header.
    """
    header = find_header(index_fd)
    records = count_records(index_fd) if header else 0
    last = find_record(index_fd, records - 1) if records else None
    data = os.fstat(data_fd)
    while records and (last is None or last.end > data.st_size):
        records -= 1
        last = find_record(index_fd, records - 1) if records else None
    start, flags = header or (first_line, 0)
    return Survey(start, flags, records, last, data.st_size, data.st_mtime_ns // 1_000_000)


def scan_tail(data_fd: int, found: Survey) -> Iterator[Record]:
    """Records for the bytes that have none: taken as stdout, at the time the file was last written."""
    offset, line, size = found.indexed_bytes, found.next_line, BLOCK_BYTES
    while offset < found.data_bytes:
        block = os.pread(data_fd, min(size, found.data_bytes - offset), offset)
        cut = block.rfind(b"\n") + 1
        if not cut and offset + len(block) < found.data_bytes:
            size *= 2
            continue
        length, lines = (cut, block.count(b"\n")) if cut else (len(block), 1)
        yield Record(line, offset, found.data_at_ms, length, lines, STREAM_CODES["stdout"], 0)
        offset, line, size = offset + length, line + lines, BLOCK_BYTES

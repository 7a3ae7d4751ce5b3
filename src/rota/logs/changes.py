"""What was added to the files of a log since it was last asked, for a copy of them somewhere else."""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal, NamedTuple

from rota.logs.index import RECORD_BYTES
from rota.logs.name import LogPaths, SegmentPaths

PIECE_BYTES = 256 * 1024


class Change(NamedTuple):
    """Bytes of a file of a segment, which are numbered from 1."""

    segment: int
    part: Literal["data", "index"]
    at: int
    data: bytes


class LogChanges:
    """Follows the segments of one log. To be asked in the thread that writes it."""

    def __init__(self, paths: LogPaths, segment: int = 0) -> None:
        self._paths = paths
        self._segment = segment
        self._open: _Files | None = None

    def take(self) -> Iterator[Change]:
        """In an order that promises no line in an index before its bytes are told."""
        if self._open is not None and not self._open.is_at(self._paths.current):
            yield from self._open.take(self._segment)
            left, self._open = self._open.inode, None
            previous = _Files.find(self._paths.previous)
            if previous is not None and previous.inode != left:  # it was current, and is not any more, since we looked
                self._segment += 1
                yield from previous.take(self._segment)
            if previous is not None:
                previous.close()
        if self._open is None:
            self._open = _Files.find(self._paths.current)
            self._segment += self._open is not None
        if self._open is not None:
            yield from self._open.take(self._segment)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()


class _Files:
    """A data file and its index, kept open: what is renamed or removed can be read to its end."""

    def __init__(self, data_fd: int, paths: SegmentPaths) -> None:
        self._data_fd = data_fd
        self._index_fd = -1
        self._paths = paths
        self._data_at = 0
        self._header = b""
        self._last = b""
        self._index_at = RECORD_BYTES
        self.inode = os.fstat(data_fd).st_ino

    @classmethod
    def find(cls, paths: SegmentPaths) -> "_Files | None":
        with suppress(FileNotFoundError):
            return cls(os.open(paths.data, os.O_RDONLY | os.O_CLOEXEC), paths)
        return None

    def is_at(self, paths: SegmentPaths) -> bool:
        with suppress(FileNotFoundError):
            return paths.data.stat().st_ino == self.inode
        return False

    def take(self, segment: int) -> Iterator[Change]:
        index = list(self._take_index(segment))
        while data := os.pread(self._data_fd, PIECE_BYTES, self._data_at):
            yield Change(segment, "data", self._data_at, data)
            self._data_at += len(data)
        yield from index

    def _take_index(self, segment: int) -> Iterator[Change]:
        if self._index_fd < 0:
            with suppress(FileNotFoundError):
                self._index_fd = os.open(self._paths.index, os.O_RDONLY | os.O_CLOEXEC)
        if self._index_fd < 0:
            return
        header = os.pread(self._index_fd, RECORD_BYTES, 0)
        if header != self._header:
            self._header = header
            yield Change(segment, "index", 0, header)
        # The newest record may have grown since.
        start = max(RECORD_BYTES, self._index_at - RECORD_BYTES)
        tail = os.pread(self._index_fd, 1 << 30, start)
        if tail != self._last:
            yield Change(segment, "index", start, tail)
            self._index_at, self._last = start + len(tail), tail[-RECORD_BYTES:]

    def close(self) -> None:
        for fd in (self._data_fd, self._index_fd):
            if fd >= 0:
                os.close(fd)

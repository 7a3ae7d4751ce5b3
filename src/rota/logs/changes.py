"""What was added to the files of a log since it was last asked, for a copy of them somewhere else."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from rota.logs.index import RECORD_BYTES, find_header, read_first_line
from rota.logs.name import LogPaths, SegmentPaths

PIECE_BYTES = 256 * 1024
Part = Literal["data", "index", "frames"]


class Change(NamedTuple):
    """Bytes of a file of a segment. Segments are numbered from 1; those of frames by themselves."""

    segment: int
    part: Part
    at: int
    data: bytes


class Mark(Struct, frozen=True, array_like=True):
    """How far the files of a log were told. Zeros: not at all.

    segment     of which `data_at` and `index_at` bytes were told, and whose first line is the `first_line`th of the log
    frames      the same of the file of frames
    """

    segment: int = 0
    first_line: int = 0
    data_at: int = 0
    index_at: int = 0
    frames: int = 0
    frames_at: int = 0

    def after(self, change: Change) -> "Mark":
        """When that was told too."""
        end = change.at + len(change.data)
        if change.part == "frames":
            return replace(self, frames=change.segment, frames_at=end)
        mark = self if change.segment == self.segment else Mark(change.segment, 0, 0, 0, self.frames, self.frames_at)
        if change.part == "data":
            return replace(mark, data_at=end)
        first_line = read_first_line(change.data) if change.at == 0 else None
        return replace(mark, index_at=max(mark.index_at, end), first_line=first_line or mark.first_line)


class LogChanges:
    """Follows the files of one log. To be asked in the thread that writes it.

    mark  how far they were told by whoever wrote them until now; `is_anew` says that this does not lead to what is here: then
          all there is comes, in segments with higher numbers
    """

    def __init__(self, paths: LogPaths, mark: Mark | None = None) -> None:
        self._paths = paths
        mark = mark or Mark()
        self._segment = mark.segment
        self._open = _find_told(paths, mark)
        self.is_anew = bool(mark.segment) and self._open is None
        self._has_begun = self._open is not None
        self._frames = _Frames(paths, Mark(frames=mark.frames) if self.is_anew else mark)

    def take(self) -> Iterator[Change]:
        """In an order that promises no line in an index before its bytes are told."""
        if self._open is not None and not self._open.is_at(self._paths.current):
            yield from self._leave(self._open)
        if self._open is None:
            if not self._has_begun:
                yield from self._take_previous(None)
            self._open = _Files.find(self._paths.current)
            self._segment += self._open is not None
            self._has_begun = self._has_begun or self._open is not None
        if self._open is not None:
            yield from self._open.take(self._segment)
        yield from self._frames.take()

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._frames.close()

    def _leave(self, left: "_Files") -> Iterator[Change]:
        yield from left.take(self._segment)
        self._open = None
        yield from self._take_previous(left.inode)  # it was current, and is not any more, since we looked
        left.close()

    def _take_previous(self, known: int | None) -> Iterator[Change]:
        previous = _Files.find(self._paths.previous)
        if previous is not None and previous.inode != known:
            self._segment += 1
            yield from previous.take(self._segment)
        if previous is not None:
            previous.close()


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
        data_fd = _open(paths.data)
        return None if data_fd < 0 else cls(data_fd, paths)

    def is_at(self, paths: SegmentPaths) -> bool:
        with suppress(FileNotFoundError):
            return paths.data.stat().st_ino == self.inode
        return False

    def goes_on(self, mark: Mark) -> bool:
        """Whether these are the files that were told so far; they are gone on with from there, then."""
        self._find_index()
        header = find_header(self._index_fd) if self._index_fd >= 0 else None
        first_line = header.first_line if header else 0
        if first_line != mark.first_line or os.fstat(self._data_fd).st_size < mark.data_at:
            return False
        self._data_at, self._index_at = mark.data_at, max(RECORD_BYTES, mark.index_at)
        return True

    def take(self, segment: int) -> Iterator[Change]:
        index = list(self._take_index(segment))
        while data := os.pread(self._data_fd, PIECE_BYTES, self._data_at):
            at = self._data_at
            self._data_at += len(data)
            yield Change(segment, "data", at, data)
        yield from index

    def _take_index(self, segment: int) -> Iterator[Change]:
        self._find_index()
        if self._index_fd < 0:
            return
        header = os.pread(self._index_fd, RECORD_BYTES, 0)
        # The newest record may have grown since.
        start = max(RECORD_BYTES, self._index_at - RECORD_BYTES)
        tail = os.pread(self._index_fd, 1 << 30, start)
        has_header, has_tail = header != self._header, tail != self._last
        if has_tail:
            self._index_at, self._last = start + len(tail), tail[-RECORD_BYTES:]
        self._header = header
        if has_header and (start > RECORD_BYTES or not has_tail):
            yield Change(segment, "index", 0, header)
        elif has_header:
            start, tail = 0, header + tail
        if has_tail:
            yield from _pieces(segment, "index", start, tail)

    def _find_index(self) -> None:
        if self._index_fd < 0:
            self._index_fd = _open(self._paths.index)

    def close(self) -> None:
        for fd in (self._data_fd, self._index_fd):
            if fd >= 0:
                os.close(fd)


class _Frames:
    """The file of frames, and the one before it."""

    def __init__(self, paths: LogPaths, mark: Mark) -> None:
        self._paths = paths
        self._number, self._at = mark.frames, mark.frames_at
        self._fd = -1
        self._was_told = mark.frames > 0 and mark.frames_at > 0

    def take(self) -> Iterator[Change]:
        if self._fd >= 0 and not self._is_current():
            yield from self._rest()
            os.close(self._fd)
            self._fd = -1
        if self._fd < 0:
            yield from self._begin()
        if self._fd >= 0:
            yield from self._rest()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def _begin(self) -> Iterator[Change]:
        if not self._number and (old := _read(self._paths.old_frames)):
            self._number = 1
            yield from _pieces(1, "frames", 0, old)
        self._fd = _open(self._paths.frames)
        if self._fd < 0:
            return
        if not self._was_told or os.fstat(self._fd).st_size < self._at:
            self._number, self._at = self._number + 1, 0
        self._was_told = False

    def _rest(self) -> Iterator[Change]:
        while data := os.pread(self._fd, PIECE_BYTES, self._at):
            at = self._at
            self._at += len(data)
            yield Change(self._number, "frames", at, data)

    def _is_current(self) -> bool:
        with suppress(FileNotFoundError):
            return self._paths.frames.stat().st_ino == os.fstat(self._fd).st_ino
        return False


def _find_told(paths: LogPaths, mark: Mark) -> _Files | None:
    """The files of the segment that was told last, if they are here."""
    for place in (paths.current, paths.previous) if mark.segment else ():
        files = _Files.find(place)
        if files is not None and files.goes_on(mark):
            return files
        if files is not None:
            files.close()
    return None


def _pieces(segment: int, part: Part, at: int, data: bytes) -> Iterator[Change]:
    for start in range(0, len(data), PIECE_BYTES):
        yield Change(segment, part, at + start, data[start : start + PIECE_BYTES])


def _open(path: Path) -> int:
    """A descriptor; -1 where there is no such file."""
    with suppress(FileNotFoundError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return -1


def _read(path: Path) -> bytes:
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return b""

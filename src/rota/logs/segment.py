"""One data file with its index, open for appending; and the change to the next one."""

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from rota.logs.index import CONTINUED, ENDED, FULL, RECORD_BYTES, Record, count_records, write_flags, write_header, write_record
from rota.logs.name import LogPaths, SegmentPaths
from rota.logs.survey import BLOCK_BYTES, Survey, scan_tail, survey

Buffers = Sequence[bytes | memoryview]
NOTHING = Survey(first_line=0, flags=0, records=0, last=None, data_bytes=0, data_at_ms=0)


class Segment:
    """Appends blocks of lines: the bytes first, then their record, so that the index never promises what is not there.

    index_path  where the index is made when there is something to be said in it; `index_fd` is -1 until then
    """

    def __init__(self, data_fd: int, index_fd: int, found: Survey, index_path: str = "") -> None:
        self._data_fd = data_fd
        self._index_fd = index_fd
        self._index_path = index_path
        self._records = found.records
        self._last = found.last
        self._flags = found.flags
        self.size = found.indexed_bytes
        self.next_line = found.next_line

    @property
    def full(self) -> bool:
        return bool(self._flags & FULL)

    def append(self, stream: int, buffers: Buffers, length: int, lines: int, at_ms: int, continued: bool = False) -> None:
        """Raises OSError after taking back what was written of the block."""
        try:
            _write(self._data_fd, buffers, length)
            self._index(Record(self.next_line, self.size, at_ms, length, lines, stream, CONTINUED if continued else 0))
        except OSError:
            self._trim()
            raise

    def mark_ended(self) -> None:
        """Nothing will be added. An empty file without an index says so by itself."""
        if self._index_fd >= 0:
            self.mark(ENDED)

    def mark(self, flag: int) -> None:
        self.make_index()
        self._flags |= flag
        write_flags(self._index_fd, self._flags)

    def unmark(self, flag: int) -> None:
        self._flags &= ~flag
        write_flags(self._index_fd, self._flags)

    def adopt_tail(self, found: Survey) -> None:
        """Gives records to bytes that have none, and ends a torn line."""
        tail = list(scan_tail(self._data_fd, found))
        if not tail:
            return
        if os.pread(self._data_fd, 1, found.data_bytes - 1) != b"\n":
            os.write(self._data_fd, b"\n")
            tail[-1] = tail[-1]._replace(length=tail[-1].length + 1)
        for record in tail:
            self._index(record)

    def make_index(self) -> None:
        """Unless there is one. Without it an empty log that nobody writes has ended."""
        if self._index_fd < 0:
            self._index_fd = _open(self._index_path, os.O_TRUNC)
            write_header(self._index_fd, 0)

    def close(self) -> None:
        os.close(self._data_fd)
        if self._index_fd >= 0:
            os.close(self._index_fd)

    def _index(self, record: Record) -> None:
        self.make_index()
        last = self._last
        if last and _joins(last, record):
            merged = last._replace(length=last.length + record.length, lines=last.lines + record.lines)
            write_record(self._index_fd, self._records - 1, merged)
            self._last = merged
        else:
            write_record(self._index_fd, self._records, record)
            self._records, self._last = self._records + 1, record
        self.size, self.next_line = record.end, record.next_line

    def _trim(self) -> None:
        # If even this fails, opening the segment again sorts it out.
        with suppress(OSError):
            os.ftruncate(self._data_fd, self.size)
            os.ftruncate(self._index_fd, (self._records + 1) * RECORD_BYTES)


def has_log(paths: LogPaths) -> bool:
    """Whether there is any of the files that a log goes on from."""
    # The folder first: a task whose runs say nothing has none.
    places = paths.data_text, paths.index_text, paths.previous_text
    return os.access(paths.start, os.F_OK) and any(os.access(place, os.F_OK) for place in places)


def open_segment(paths: LogPaths) -> Segment:
    """The current segment, made if there is none, repaired if it was torn, and no longer marked as ended."""
    return _make_first(paths) or _open_again(paths)


def _make_first(paths: LogPaths) -> Segment | None:
    """The segment of a log that has no file yet. Most runs have one attempt, so this way is the short one.

    None if there is anything.
    """
    if os.path.exists(paths.previous_text) or os.path.exists(paths.index_text):  # noqa: PTH110  see LogPaths
        return None
    with suppress(FileExistsError):
        return Segment(_make_data(paths), -1, NOTHING, paths.index_text)
    return None


def _make_data(paths: LogPaths) -> int:
    try:
        return _open(paths.data_text, os.O_EXCL | os.O_APPEND)
    except FileNotFoundError:
        make_folder(paths)
        return _open(paths.data_text, os.O_EXCL | os.O_APPEND)


def _open_again(paths: LogPaths) -> Segment:
    make_folder(paths)
    _finish_rotation(paths)
    first_line = _line_after(paths.previous)
    with ExitStack() as undo:
        data_fd = _open(paths.current.data, os.O_APPEND)
        undo.callback(os.close, data_fd)
        index_fd = _open(paths.current.index)
        undo.callback(os.close, index_fd)
        segment = _repair(data_fd, index_fd, survey(data_fd, index_fd, first_line))
        undo.pop_all()
    return segment


def make_folder(paths: LogPaths) -> None:
    for folder in (paths.folder.parent, paths.folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def rotate(paths: LogPaths, old: Segment) -> Segment:
    """Makes the current segment the previous one and answers a new current one.

    Raises OSError; the old one is then still open, for the caller to close. What needs space is done before renaming.
    """
    old.make_index()
    with ExitStack() as undo:
        for path in (paths.next.data, paths.next.index):
            path.unlink(missing_ok=True)
        data_fd = _open(paths.next.data, os.O_APPEND)
        undo.callback(os.close, data_fd)
        index_fd = _open(paths.next.index)
        undo.callback(os.close, index_fd)
        write_header(index_fd, old.next_line)
        paths.current.data.replace(paths.previous.data)
        paths.current.index.replace(paths.previous.index)
        paths.next.index.replace(paths.current.index)
        paths.next.data.replace(paths.current.data)
        undo.pop_all()
    new = Segment(data_fd, index_fd, survey(data_fd, index_fd, old.next_line))
    old.close()
    return new


def is_rotation_torn(paths: LogPaths) -> bool:
    """True if the data of the previous segment still has its index under the current name."""
    if paths.current.data.exists() or not paths.current.index.exists():
        return False
    fd = os.open(paths.current.index, os.O_RDONLY)
    try:
        return count_records(fd) > 0
    finally:
        os.close(fd)


def _finish_rotation(paths: LogPaths) -> None:
    if is_rotation_torn(paths):
        paths.current.index.replace(paths.previous.index)


def _line_after(previous: SegmentPaths) -> int:
    """The number of the first line after the previous segment, 0 if there is none."""
    try:
        data_fd = os.open(previous.data, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        index_fd = _open(previous.index)
        try:
            found = survey(data_fd, index_fd, 0)
            return found.next_line + sum(record.lines for record in scan_tail(data_fd, found))
        finally:
            os.close(index_fd)
    finally:
        os.close(data_fd)


def _repair(data_fd: int, index_fd: int, found: Survey) -> Segment:
    write_header(index_fd, found.first_line)
    os.ftruncate(index_fd, (found.records + 1) * RECORD_BYTES)
    segment = Segment(data_fd, index_fd, found)
    segment.unmark(ENDED)
    segment.adopt_tail(found)
    return segment


def _joins(last: Record, record: Record) -> bool:
    return (
        last.at_ms == record.at_ms
        and last.stream == record.stream
        and not record.flags
        and last.length + record.length <= BLOCK_BYTES
    )


def _open(path: "str | os.PathLike[str]", flags: int = 0) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)


def _write(fd: int, buffers: Buffers, length: int) -> None:
    written = os.writev(fd, buffers)
    if written < length:
        rest = memoryview(b"".join(buffers))
        while written < length:
            written += os.write(fd, rest[written:])

"""One consistent look at the segments of a log."""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from rota.logs.index import ENDED, Record, find_record, list_records
from rota.logs.name import LogPaths
from rota.logs.survey import BLOCK_BYTES, Survey, scan_tail, survey

_BATCH = 1024  # records read at a time


class SegmentView:
    """The records of one segment and their bytes, as they were when looked at."""

    def __init__(self, data_fd: int, index_fd: int, found: Survey, *, live: bool) -> None:
        self._data_fd = data_fd
        self._index_fd = index_fd
        self._records = found.records
        # While a writer is at work, bytes without a record are about to get theirs.
        self._tail = [] if live else list(scan_tail(data_fd, found))
        self.ended = found.ended
        self.first_line = found.first_line
        self.next_line = self._tail[-1].next_line if self._tail else found.next_line

    def blocks(self, from_line: int) -> Iterator[tuple[Record, bytes]]:
        """Records with their bytes, from the one that holds `from_line`, read some 256 KiB at a time."""
        group: list[Record] = []
        for record in self._list_from(from_line):
            if group and record.end - group[0].offset > BLOCK_BYTES:
                yield from self._read(group)
                group = []
            group.append(record)
        yield from self._read(group)

    def _list_from(self, line: int) -> Iterator[Record]:
        start = max(0, bisect_right(range(self._records), line, key=self._first_line_at) - 1)
        for at in range(start, self._records, _BATCH):
            yield from (record for record in list_records(self._index_fd, at, min(at + _BATCH, self._records)))
        yield from self._tail

    def _first_line_at(self, position: int) -> int:
        record = find_record(self._index_fd, position)
        return record.first_line if record else self.next_line

    def _read(self, group: list[Record]) -> Iterator[tuple[Record, bytes]]:
        if group:
            start = group[0].offset
            data = os.pread(self._data_fd, group[-1].end - start, start)
            yield from ((record, data[record.offset - start : record.end - start]) for record in group)


class View(NamedTuple):
    """Of a whole log: the previous segment, if any, and the current one."""

    segments: list[SegmentView]

    @property
    def first_available(self) -> int:
        return self.segments[0].first_line if self.segments else 0

    @property
    def total_lines(self) -> int:
        return self.segments[-1].next_line if self.segments else 0

    @property
    def ended(self) -> bool:
        return bool(self.segments) and self.segments[-1].ended

    def blocks(self, from_line: int) -> Iterator[tuple[Record, bytes]]:
        """Records that hold lines from `from_line` on, the first one maybe earlier lines too."""
        for segment in self.segments:
            for record, data in segment.blocks(from_line):
                if record.next_line > from_line:
                    yield record, data


@contextmanager
def open_view(paths: LogPaths, is_live: Callable[[], bool]) -> Iterator[View]:
    """The files stay open, so a rotation or deletion does not disturb the look."""
    with ExitStack() as files:
        yield _take(paths, is_live, files)


def _take(paths: LogPaths, is_live: Callable[[], bool], files: ExitStack) -> View:
    """Opens the current segment first, then the previous: if the current one is still current then, the two belong together."""
    while True:
        was_live = is_live()  # a writer that ends while we look may have made its index after we looked for it
        with ExitStack() as opened:
            current = _open(paths.current.data, opened), _open(paths.current.index, opened)
            previous = _open(paths.previous.data, opened), _open(paths.previous.index, opened)
            if _is_still(paths.current.data, current[0]):
                files.push(opened.pop_all())
                return _view_of(previous, current, live=was_live or is_live())


def _view_of(previous: tuple[int | None, int | None], current: tuple[int | None, int | None], *, live: bool) -> View:
    if current[0] is None and current[1] is not None and find_record(current[1], 0):
        # In the midst of a rotation the data is renamed already, its index not yet.
        previous = previous[0], current[1]
    segments: list[SegmentView] = []
    line = 0
    for data_fd, index_fd in (previous, current):
        if data_fd is not None:
            found = survey(data_fd, index_fd, line) if index_fd is not None else _unindexed(data_fd, line, live=live)
            segments.append(SegmentView(data_fd, -1 if index_fd is None else index_fd, found, live=live))
            line = segments[-1].next_line
    return View(segments)


def _unindexed(data_fd: int, first_line: int, *, live: bool) -> Survey:
    """An index is made with the first line: what is empty without one is the whole log of a run that printed nothing."""
    data = os.fstat(data_fd)
    flags = 0 if live or data.st_size else ENDED
    return Survey(first_line, flags, 0, None, data.st_size, data.st_mtime_ns // 1_000_000)


def _open(path: Path, files: ExitStack) -> int | None:
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    files.callback(os.close, fd)
    return fd


def _is_still(path: Path, fd: int | None) -> bool:
    try:
        now = path.stat().st_ino
    except FileNotFoundError:
        return fd is None
    return fd is not None and now == os.fstat(fd).st_ino

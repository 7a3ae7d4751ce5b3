"""Reads the log of a run: pages, search, download."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from msgspec import UNSET, Struct, UnsetType, structs

from rota.core.entry import plain
from rota.logs.frames import find_frames, list_entries
from rota.logs.index import CONTINUED, STREAM_CODES, STREAMS, Record, Stream
from rota.logs.name import LogPaths
from rota.logs.pattern import Pattern
from rota.logs.view import View, open_view

LONGEST_PAGE_BYTES = 16 * 1024 * 1024

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STDERR, _SYSTEM, _ENTRY = STREAM_CODES["stderr"], STREAM_CODES["system"], STREAM_CODES["entry"]


class LogLine(Struct, frozen=True):
    """Line `n` of a run, counted from 0 over all attempts and rotations. `continued`: goes on the line before it.
    `frame_count`: how many frames are kept of what it was before, where it was drawn over. The `text` of an `entry` is JSON.
    """

    n: int
    at: datetime
    stream: Stream
    text: str
    continued: bool = False
    frame_count: int | UnsetType = UNSET

    @property
    def plain(self) -> str:
        """As a person reads it."""
        return plain(self.text) if self.stream == "entry" else self.text


class LogPage(Struct, frozen=True):
    """Consecutive lines. `truncated`: it should begin earlier, but those lines are gone. `finalized`: nothing will be added; a
    log without a line cannot know, its run does."""

    lines: list[LogLine]
    first_available: int
    total_lines: int
    finalized: bool
    truncated: bool


class Found(Struct, frozen=True):
    """Lines that match, and where to go on; None when all was looked at."""

    lines: list[LogLine]
    next_line: int | None


class LogReader:
    """Reads from the files alone, never from a writer. A log that does not exist (yet) reads as an empty one, not finalized."""

    def __init__(self, paths: LogPaths, is_live: Callable[[], bool] = lambda: False) -> None:
        self._paths = paths
        self._is_live = is_live

    def page(self, from_line: int, limit: int, most_bytes: int = LONGEST_PAGE_BYTES) -> LogPage:
        """Up to `limit` lines from `from_line`, a negative one counted from the end. Costs what the page costs, not the log.

        A page ends early after `most_bytes` of text, and the block of up to 256 KiB in which that is.
        """
        with self._view() as view:
            wanted = from_line if from_line >= 0 else max(0, view.total_lines + from_line)
            start = max(wanted, view.first_available)
            return LogPage(
                lines=self._with_counts(_take(view, start, limit, most_bytes)),
                first_available=view.first_available,
                total_lines=view.total_lines,
                finalized=view.ended,
                truncated=wanted < view.first_available,
            )

    def frames(self, line: int) -> list[list[str]]:
        """What a line was before, each frame a list of rows, the last one as it stayed; none if it was never drawn over."""
        return find_frames(self._paths, line)

    def _with_counts(self, lines: list[LogLine]) -> list[LogLine]:
        if not lines or not self._paths.frames.exists():
            return lines
        first = lines[0].n
        for entry in list_entries(self._paths):
            for at in range(max(0, entry.first - first), min(len(lines), entry.first + entry.lines - first)):
                lines[at] = structs.replace(lines[at], frame_count=entry.count)
        return lines

    def search(
        self,
        pattern: Pattern,
        *,
        from_line: int = 0,
        end_line: int | None = None,
        most: int,
        is_late: Callable[[], bool] = lambda: False,
    ) -> Found:
        """Lines that match as a person reads them, in order, up to `most`, until `is_late` says that it is enough.

        Raises Invalid as `Pattern` does.
        """
        hits: list[LogLine] = []
        with self._view() as view:
            for record, data in view.blocks(from_line):
                if end_line is not None and record.first_line >= end_line:
                    break
                text = data.decode(errors="replace")
                may_match = record.stream == _ENTRY or pattern.may_be_in(text)
                lines = _split(record, text, from_line) if may_match else []
                for line in lines:
                    if (end_line is None or line.n < end_line) and pattern.matches(line.plain):
                        hits.append(line)
                    if len(hits) >= most or is_late():
                        return Found(hits, line.n + 1)
                if is_late():
                    return Found(hits, record.next_line)
        return Found(hits, None)

    def raw(self, *, prefixes: bool = True, from_line: int = 0, end_line: int | None = None) -> Iterator[bytes]:
        """The text of all lines there are, as a person reads them, with `[ERR] ` before those of stderr, and the time and
        `[SYSTEM] ` before our own.
        """
        with self._view() as view:
            for record, data in view.blocks(from_line):
                if end_line is not None and record.first_line >= end_line:
                    return
                prefix = _prefix_of(record) if prefixes else b""
                part = _cut(record, data, from_line, end_line)
                if record.stream == _ENTRY:
                    yield _plain(part)
                else:
                    yield _prefixed(part, prefix) if prefix else part

    def _view(self) -> AbstractContextManager[View]:
        return open_view(self._paths, self._is_live)


def _take(view: View, start: int, limit: int, most_bytes: int) -> list[LogLine]:
    lines: list[LogLine] = []
    size = 0
    if limit <= 0:
        return lines
    for record, data in view.blocks(start):
        lines += _split(record, data.decode(errors="replace"), start, limit - len(lines))
        size += len(data)
        if len(lines) >= limit or size >= most_bytes:
            break
    return lines


def _split(record: Record, text: str, from_line: int, limit: int | None = None) -> list[LogLine]:
    at = _EPOCH + timedelta(milliseconds=record.at_ms)
    stream = STREAMS[record.stream]
    skip = max(0, from_line - record.first_line)
    texts = text.removesuffix("\n").split("\n")
    end = len(texts) if limit is None else skip + limit
    return [
        LogLine(n, at, stream, line, n == record.first_line and bool(record.flags & CONTINUED))
        for n, line in enumerate(texts[skip:end], record.first_line + skip)
    ]


def _cut(record: Record, data: bytes, from_line: int, end_line: int | None) -> bytes:
    if record.first_line >= from_line and (end_line is None or record.next_line <= end_line):
        return data
    end = None if end_line is None else end_line - record.first_line
    lines = data.removesuffix(b"\n").split(b"\n")[max(0, from_line - record.first_line) : end]
    return b"".join(line + b"\n" for line in lines)


def _plain(data: bytes) -> bytes:
    return b"".join(plain(line.decode(errors="replace")).encode(errors="replace") + b"\n" for line in data.splitlines())


def _prefix_of(record: Record) -> bytes:
    if record.stream == _SYSTEM:
        at = _EPOCH + timedelta(milliseconds=record.at_ms)
        return at.strftime("%Y-%m-%dT%H:%M:%S.").encode() + b"%03dZ [SYSTEM] " % (record.at_ms % 1000)
    return b"[ERR] " if record.stream == _STDERR else b""


def _prefixed(data: bytes, prefix: bytes) -> bytes:
    whole = data.endswith(b"\n")
    return prefix + (data[:-1] if whole else data).replace(b"\n", b"\n" + prefix) + (b"\n" if whole else b"")

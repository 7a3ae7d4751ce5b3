"""The frames that a redrawn part of a log went through, in a hidden file beside it."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from rota.logs.name import LogPaths
from rota.logs.screen import Frame

MOST_FRAMES = 32
LARGEST_HISTORY = 128 * 1024
LARGEST_FILE = 512 * 1024  # then a new one begins, and the one before the last is gone


class History:
    """Samples frames evenly, however many there are: when it is full, every second one goes."""

    def __init__(self) -> None:
        self._kept: list[Frame] = []
        self._offered = 0
        self._stride = 1
        self._size = 0

    def offer(self, render: Callable[[], Frame]) -> None:
        """One frame; it is only drawn up if it is kept."""
        self._offered += 1
        if self._offered % self._stride == 0:
            self._keep(render())

    def closed(self, last: Frame) -> list[Frame]:
        """The sample with the last frame; empty if there was no other."""
        if not self._kept or self._kept[-1] != last:
            self._kept.append(last)
        return self._kept if len(self._kept) > 1 else []

    def _keep(self, frame: Frame) -> None:
        if self._kept and self._kept[-1] == frame:
            return
        self._kept.append(frame)
        self._size += sum(map(len, frame))
        while len(self._kept) > MOST_FRAMES or (self._size > LARGEST_HISTORY and len(self._kept) > 1):
            self._kept = self._kept[1::2]
            self._stride *= 2
            self._size = sum(len(row) for kept in self._kept for row in kept)


class Entry(Struct, frozen=True, array_like=True):
    """The history of `lines` lines from `first` on; `frames` is undecoded JSON."""

    first: int
    lines: int
    count: int
    frames: msgspec.Raw


class FrameFile:
    """Appends histories. What the disk refuses is lost: they are an extra."""

    def __init__(self, paths: LogPaths) -> None:
        self._paths = paths

    def append(self, first: int, lines: int, frames: list[Frame]) -> None:
        raw = msgspec.Raw(msgspec.json.encode(frames))
        line = msgspec.json.encode(Entry(first, lines, len(frames), raw)) + b"\n"
        with suppress(OSError):
            self._rotate(len(line))
            fd = os.open(self._paths.frames, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(fd, line)
            finally:
                os.close(fd)

    def _rotate(self, length: int) -> None:
        with suppress(FileNotFoundError):
            if self._paths.frames.stat().st_size + length > LARGEST_FILE:
                self._paths.frames.replace(self._paths.old_frames)


def find_frames(paths: LogPaths, line: int) -> list[Frame]:
    """The frames that a line went through, each a list of rows; none if it was never redrawn."""
    for entry in list_entries(paths):
        if entry.first <= line < entry.first + entry.lines:
            return msgspec.json.decode(entry.frames, type=list[Frame])
    return []


def list_entries(paths: LogPaths) -> Iterator[Entry]:
    """All that can be read; a torn one is passed over."""
    for path in (paths.old_frames, paths.frames):
        for line in _read(path).splitlines():
            with suppress(msgspec.DecodeError):
                yield msgspec.json.decode(line, type=Entry)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""

"""A log whose files were written on another machine, written again here byte for byte."""

import os
from pathlib import Path

from rota.logs.changes import Part
from rota.logs.name import LogPaths
from rota.logs.segment import make_folder


class LogCopy:
    """Begins with nothing: what was here of this log goes."""

    def __init__(self, paths: LogPaths) -> None:
        self._paths = paths
        self._segment = self._frames = 0
        make_folder(paths)
        for path in paths.all():
            path.unlink(missing_ok=True)

    def write(self, segment: int, part: Part, at: int, data: bytes) -> None:
        """Bytes of a file of that segment. A higher number than before begins new files. Raises OSError."""
        if part == "frames":
            self._write_frames(segment, at, data)
            return
        current, previous = self._paths.current, self._paths.previous
        if segment > self._segment:
            if self._segment:
                _rotate(current.data, previous.data)
                _rotate(current.index, previous.index)
            self._segment = segment
        _write_at(current.data if part == "data" else current.index, at, data)

    def _write_frames(self, segment: int, at: int, data: bytes) -> None:
        if segment > self._frames:
            if self._frames:
                _rotate(self._paths.frames, self._paths.old_frames)
            self._frames = segment
        _write_at(self._paths.frames, at, data)


def _rotate(old: Path, new: Path) -> None:
    new.unlink(missing_ok=True)
    if old.exists():
        old.replace(new)


def _write_at(path: Path, at: int, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(fd, data, at)
    finally:
        os.close(fd)

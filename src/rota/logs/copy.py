"""A log whose files were written on another machine, written again here byte for byte."""

import os
from pathlib import Path
from typing import Literal

from rota.logs.name import LogPaths
from rota.logs.segment import make_folder

Part = Literal["data", "index"]


class LogCopy:
    """Begins with nothing: what was here of this log goes."""

    def __init__(self, paths: LogPaths) -> None:
        self._paths = paths
        self._segment = 0
        make_folder(paths)
        for path in paths.all():
            path.unlink(missing_ok=True)

    def write(self, segment: int, part: Part, at: int, data: bytes) -> None:
        """Bytes of a file of that segment. A higher number than before begins new files. Raises OSError."""
        if segment > self._segment:
            if self._segment:
                self._rotate()
            self._segment = segment
        current = self._paths.current
        _write_at(current.data if part == "data" else current.index, at, data)

    def _rotate(self) -> None:
        current, previous = self._paths.current, self._paths.previous
        for old, new in ((current.data, previous.data), (current.index, previous.index)):
            new.unlink(missing_ok=True)
            if old.exists():
                old.replace(new)


def _write_at(path: Path, at: int, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(fd, data, at)
    finally:
        os.close(fd)

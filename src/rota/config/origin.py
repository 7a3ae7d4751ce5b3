"""The files that settings were read from, and whether they have changed since."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path


class Origin:
    """`path`: the main file, None for none. `read_at`: when the settings that hold were read."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.read_at: datetime | None = None
        self._stamps: dict[Path, tuple[int, int] | None] = {}

    def note(self, files: Iterable[str | Path], now: datetime) -> None:
        """What holds from now on was read from these files and the main one."""
        paths = {Path(file) for file in files} | ({self.path} if self.path else set())
        self._stamps = {path: _stamp(path) for path in paths}
        self.read_at = now

    def is_stale(self) -> bool:
        """Whether one of the files is another than it was; a reload would tell what that means."""
        return any(_stamp(path) != stamp for path, stamp in self._stamps.items())


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size

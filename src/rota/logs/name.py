"""Where the files of a run's log are."""

import re
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from msgspec import Struct

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_FOLDER_LENGTH = 200  # file systems end at 255 bytes


class LogName(Struct, frozen=True):
    """Names the one log of one run, whatever the number of its attempts. `created_at` is the run's, aware."""

    task_name: str
    created_at: datetime
    run_id: str

    @property
    def folder(self) -> str:
        return _safe(self.task_name)[:_FOLDER_LENGTH]

    @property
    def file(self) -> str:
        return f"{self.created_at.astimezone(UTC):%Y%m%d_%H%M%S}_{_safe(self.run_id)}.log"


class SegmentPaths(Struct, frozen=True):
    """The plain output and its side index."""

    data: Path
    index: Path


class LogPaths(Struct, frozen=True, dict=True):
    """All files a log can have. Only `current.data` is not hidden."""

    # Text, for a new run needs three of these files, and a Path for each would cost more than asking the system.
    start: str
    file: str

    @classmethod
    def of(cls, root: Path, name: LogName) -> "LogPaths":
        return cls(f"{root}/{name.folder}/", name.file)

    @property
    def folder(self) -> Path:
        return Path(self.start)

    @property
    def data_text(self) -> str:
        return self.start + self.file

    @property
    def index_text(self) -> str:
        return f"{self.start}.{self.file}.meta"

    @property
    def previous_text(self) -> str:
        return f"{self.start}.{self.file}.prev"

    @cached_property
    def current(self) -> SegmentPaths:
        return SegmentPaths(Path(self.data_text), Path(self.index_text))

    @cached_property
    def previous(self) -> SegmentPaths:
        return SegmentPaths(Path(self.previous_text), Path(f"{self.previous_text}.meta"))

    @cached_property
    def next(self) -> SegmentPaths:
        return SegmentPaths(Path(f"{self.start}.{self.file}.next"), Path(f"{self.start}.{self.file}.next.meta"))

    @property
    def frames(self) -> Path:
        """What redrawn lines were before they stayed as they are."""
        return Path(f"{self.start}.{self.file}.frames")

    @property
    def old_frames(self) -> Path:
        return Path(f"{self.previous_text}.frames")

    def all(self) -> list[Path]:
        segments = [path for pair in (self.current, self.previous, self.next) for path in (pair.data, pair.index)]
        return [*segments, self.frames, self.old_frames]


def run_id_of(file_name: str) -> str | None:
    """The run a file belongs to, hidden ones included, or None for a file that is no log's."""
    found = re.fullmatch(r"\.?\d{8}_\d{6}_([A-Za-z0-9_-]+)\.log(\.prev|\.next)?(\.meta|\.frames)?", file_name)
    return found and found[1]


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text) or "_"

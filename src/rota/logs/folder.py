"""All logs of an installation."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from rota.core.errors import Conflict, Unavailable
from rota.core.policy import LogLimit
from rota.logs.copy import LogCopy
from rota.logs.disk import Shortage, find_shortage
from rota.logs.index import Stream
from rota.logs.name import LogName, LogPaths, run_id_of
from rota.logs.reader import LogReader
from rota.logs.segment import has_log, open_segment
from rota.logs.writer import LogWriter


class RunLogs:
    """The folder of run logs. `min_free_space` is in bytes, 0 for no guard."""

    def __init__(self, root: Path, min_free_space: int = 0) -> None:
        self._root = root
        self._min_free_space = min_free_space
        self._live: dict[str, LogWriter] = {}
        self._copied: set[str] = set()

    def find_shortage(self) -> Shortage | None:
        """To be asked before a run starts: less disk space than `min_free_space`. None also if the disk cannot be asked."""
        if not self._min_free_space:
            return None
        existing = next(folder for folder in (self._root, *self._root.absolute().parents) if folder.exists())
        with suppress(OSError):
            return find_shortage(existing, self._min_free_space)
        return None

    def writer(
        self, name: LogName, limit: LogLimit, secrets: Sequence[str] = (), on_growth: Callable[[], None] | None = None
    ) -> LogWriter:
        """For one attempt; goes on where the log ends. Raises Conflict while another writer of it is open."""
        paths = LogPaths.of(self._root, name)
        live = paths.data_text
        if live in self._live:
            raise Conflict(f"the log of run {name.run_id} is being written already")
        made = self._live[live] = LogWriter(
            paths,
            limit,
            secrets,
            min_free_space=self._min_free_space,
            on_growth=on_growth,
            on_close=partial(self._live.__delitem__, live),
        )
        return made

    def append(self, name: LogName, limit: LogLimit, stream: Stream, lines: bytes, at_ms: int, *, is_over: bool) -> None:
        """Add whole lines that do not come from a process of ours, whether one writes to this log as well or not.

        is_over  of a run that has ended: its log ends again behind them

        Written when this returns. Raises Unavailable if the disk, or the limit of the log, did not take them.
        """
        writing = self._live.get(LogPaths.of(self._root, name).data_text)
        writer = writing or self.writer(name, limit)
        try:
            writer.write(stream, lines, at_ms)
            is_written = writer.is_recording
        finally:
            if writing is None:
                (writer.finalize if is_over else writer.close)(at_ms)
        if not is_written:
            raise Unavailable("the log of this run takes no more lines at this moment")

    def reader(self, name: LogName) -> LogReader:
        paths = LogPaths.of(self._root, name)
        return LogReader(paths, lambda: paths.data_text in self._live or paths.data_text in self._copied)

    def paths(self, name: LogName) -> LogPaths:
        return LogPaths.of(self._root, name)

    def is_written(self, name: LogName) -> bool:
        """Whether a writer of it is open here."""
        return LogPaths.of(self._root, name).data_text in self._live

    def is_here(self, name: LogName) -> bool:
        """Whether there is any file of it, written here or copied."""
        return has_log(LogPaths.of(self._root, name))

    def begin_copy(self, name: LogName) -> LogCopy:
        """For the log of a run that another machine writes. Until `end_copy` readers know that more may come."""
        paths = LogPaths.of(self._root, name)
        self._copied.add(paths.data_text)
        return LogCopy(paths)

    def end_copy(self, name: LogName) -> None:
        self._copied.discard(LogPaths.of(self._root, name).data_text)

    def finalize(self, name: LogName) -> None:
        """Ends the log of a run that has no writer any more, such as one that a crash of ours cut off. Raises OSError."""
        paths = LogPaths.of(self._root, name)
        if any(path.exists() for path in paths.all()):
            segment = open_segment(paths)
            segment.mark_ended()
            segment.close()

    def delete(self, name: LogName) -> None:
        """Removes all files of an ended run, and the folder if it was the last. No error if there is none."""
        paths = LogPaths.of(self._root, name)
        for path in paths.all():
            path.unlink(missing_ok=True)
        with suppress(OSError):
            paths.folder.rmdir()

    def sizes(self) -> dict[str, int]:
        """Bytes by run id, hidden files included."""
        total: Counter[str] = Counter()
        for path in self._files():
            run_id = run_id_of(path.name)
            if run_id:
                with suppress(FileNotFoundError):
                    total[run_id] += path.stat().st_size
        return dict(total)

    def total_bytes(self) -> int:
        return sum(self.sizes().values())

    def _files(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            for folder in self._root.iterdir():
                if folder.is_dir():
                    yield from folder.iterdir()

"""What is to be told of one log, portion by portion."""

from collections.abc import Callable, Iterator

import msgspec

from rota.logs.changes import Change, LogChanges, Mark
from rota.logs.name import LogPaths
from rota.store.logchunks import Chunk
from rota.store.sharedlogs import SharedLog, Told


def nothing_unfinished() -> None:
    """Of a log that nobody writes at this moment."""


class Spool:
    """Goes on where telling has ended. A portion that was taken has to be told before the next one is taken.

    shared      what was told before, of which the files here are the continuation; None: nothing
    unfinished  what is not a line yet, as JSON
    is_over     nothing is written any more
    """

    def __init__(
        self, run_id: str, paths: LogPaths, shared: SharedLog | None, unfinished: Callable[[], str | None] = nothing_unfinished
    ) -> None:
        self._run_id = run_id
        self._unfinished = unfinished
        self._mark = msgspec.json.decode(shared.mark, type=Mark) if shared else Mark()
        self._changes = LogChanges(paths, self._mark)
        self._base, self._seq = (shared.base, shared.seq) if shared else (0, 0)
        self._is_anew = self._seq > self._base and (self._changes.is_anew or not self._mark.segment)
        if self._is_anew:
            self._base = self._seq
        self._pending: Iterator[Change] | None = None
        self._drawn: str | None = None
        self._is_whole = shared is not None and shared.is_whole
        self.is_over = False

    @property
    def has_more(self) -> bool:
        return self._pending is not None

    def take(self, most_bytes: int, *, anyway: bool = False) -> Told | None:
        """Some of what is new; None if nothing is. `anyway`: tell it even so."""
        after_seq, chunks = self._seq, list(self._take_chunks(most_bytes))
        drawn = None if self.is_over else self._unfinished()
        is_whole = self.is_over and not self.has_more
        if not chunks and not anyway and (drawn, is_whole) == (self._drawn, self._is_whole):
            return None
        self._drawn, self._is_whole = drawn, is_whole
        is_anew, self._is_anew = self._is_anew, False
        return Told(
            run_id=self._run_id, base=self._base, after_seq=after_seq, seq=self._seq,
            mark=msgspec.json.encode(self._mark).decode(), is_whole=is_whole, drawn=drawn, chunks=chunks,
            segments=(self._mark.segment, self._mark.frames), is_anew=is_anew,
        )  # fmt: skip

    def close(self) -> None:
        self._changes.close()

    def _take_chunks(self, most_bytes: int) -> Iterator[Chunk]:
        size = 0
        if self._pending is None:
            self._pending = self._changes.take()
        while size < most_bytes:
            change = next(self._pending, None)
            if change is None:
                self._pending = None
                return
            self._seq += 1
            self._mark = self._mark.after(change)
            size += len(change.data)
            yield Chunk(self._seq, change.segment, change.part, change.at, change.data)

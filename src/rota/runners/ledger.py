"""A journal of the attempts that were started here, so that after a crash their processes are found and none runs twice."""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from rota.process import Tree, boot_id
from rota.runners.base import Finished
from rota.runners.keeper import wait_for_keeper

COMPACT_BYTES = 4 * 1024 * 1024
LONGEST_ACCOUNT_BYTES = 256 * 1024

Key = tuple[str, int]


class LedgerEntry(Struct, frozen=True):
    """An attempt without an end. `pid` is 0 if it has no process, or none that was recorded; so are both after a reboot."""

    run_id: str
    fence: int
    pid: int = 0
    start_ticks: int = 0

    @property
    def tree(self) -> Tree:
        return Tree(self.run_id, self.pid, self.start_ticks, self.fence)


class ProcessLedger:
    """Lines appended to a file: what is written is safe from our own death at once, though not from a power cut.

    Order per attempt, known by run id and fence: `starting`, `started` for its process group, `finished`, and `ended` once
    its outcome is in the store. One server at a time has the file.

    is_complete  whether a run without an entry has surely never been started: false after a reboot or the loss of the file,
                 when lines may be missing
    """

    def __init__(self, path: Path) -> None:
        wait_for_keeper(path)
        self._path = path
        self._boot = boot_id()
        self._torn = False
        self._open: dict[Key, LedgerEntry] = {}
        self._finished: dict[Key, Finished] = {}
        lines = _read_lines(path)
        self.is_complete = lines[:1] == [f"boot {self._boot}".encode()]
        # An incomplete one vouches for nothing before the first new start: we may die before its runs are rescued.
        self._vouches = self.is_complete
        for line in lines:
            self._replay(line)
        if not self.is_complete:
            self._open = {key: LedgerEntry(*key) for key in self._open}
        self._fd = self._compact()

    def open_entries(self) -> list[LedgerEntry]:
        """Attempts whose outcome is not known to be in the store."""
        return list(self._open.values())

    def find_account(self, run_id: str, fence: int) -> Finished | None:
        """What an open attempt came to, if it was over and only the store did not learn of it."""
        return self._finished.get((run_id, fence))

    def vouch(self) -> None:
        """All that came before is settled: a run without an entry has surely never been started, from now on. Raises OSError."""
        if not self._vouches:
            self._vouches = True
            self._replace()

    def starting(self, entries: Iterable[LedgerEntry]) -> None:
        """Attempts are about to begin. Raises OSError: they must not, then."""
        entries = list(entries)
        self.vouch()
        self._append(b"".join(map(_start_line, entries)))
        self._open.update({(entry.run_id, entry.fence): entry for entry in entries})

    def started(self, entry: LedgerEntry) -> None:
        """An attempt has a process group. Raises OSError."""
        self._append(_start_line(entry))
        self._open[entry.run_id, entry.fence] = entry

    def finished(self, finished: Finished) -> None:
        """An attempt is over. One with an output too large for a journal is left out. Raises OSError."""
        line = _finish_line(finished)
        if len(line) <= LONGEST_ACCOUNT_BYTES:
            self._append(line)
            self._finished[finished.run_id, finished.fence] = finished

    def ended(self, keys: Iterable[Key]) -> None:
        """Attempts are settled. Raises OSError; they are then still here after a crash."""
        known = [key for key in keys if key in self._open]
        for key in known:
            del self._open[key]
            self._finished.pop(key, None)
        if known:
            self._append(b"".join(f"ended {run_id} {fence}\n".encode() for run_id, fence in known))
        if self._size > COMPACT_BYTES:
            self._replace()

    def close(self) -> None:
        os.close(self._fd)

    def _append(self, data: bytes) -> None:
        if self._torn:  # a newline ends the line that a full disk has cut short
            data = b"\n" + data
        self._torn = True
        self._torn = os.write(self._fd, data) < len(data)
        self._size += len(data)
        if self._torn:
            raise OSError(f"{self._path}: only part of a line could be written")

    def _replace(self) -> None:
        old, self._fd = self._fd, self._compact()
        os.close(old)

    def _compact(self) -> int:
        """Writes what is open to a new file, which takes the place of the old one in one step."""
        boot = self._boot if self._vouches else "unknown"
        lines = [f"boot {boot}\n".encode(), *map(_start_line, self._open.values()), *map(_finish_line, self._finished.values())]
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            self._size = file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def _replay(self, line: bytes) -> None:
        ended = _replay_entry(self._open, line)
        if ended is not None:
            self._finished.pop(ended, None)
        elif line.startswith(b"finish "):
            self._replay_finish(line.removeprefix(b"finish "))

    def _replay_finish(self, data: bytes) -> None:
        try:
            finished = msgspec.json.decode(data, type=Finished)
        except msgspec.MsgspecError:  # torn: the store will say that it crashed
            return
        self._finished[finished.run_id, finished.fence] = finished


def read_open_entries(path: Path) -> list[LedgerEntry]:
    """What another process has in its journal at this moment."""
    found: dict[Key, LedgerEntry] = {}
    for line in _read_lines(path):
        _replay_entry(found, line)
    return list(found.values())


def _replay_entry(entries: dict[Key, LedgerEntry], line: bytes) -> Key | None:
    """Returns the key of an attempt that is over."""
    match line.split():
        case [b"start", run_id, fence, pid, ticks] if (fence + pid + ticks).isdigit():
            entry = LedgerEntry(run_id.decode(), int(fence), int(pid), int(ticks))
            entries[entry.run_id, entry.fence] = entry
        case [b"ended", run_id, fence] if fence.isdigit():
            key = run_id.decode(), int(fence)
            entries.pop(key, None)
            return key
    return None


def _start_line(entry: LedgerEntry) -> bytes:
    return f"start {entry.run_id} {entry.fence} {entry.pid} {entry.start_ticks}\n".encode()


def _finish_line(finished: Finished) -> bytes:
    return b"finish " + msgspec.json.encode(finished) + b"\n"


def _read_lines(path: Path) -> list[bytes]:
    """All whole lines; a torn last one was never acted upon."""
    try:
        return path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []

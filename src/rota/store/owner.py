"""One server for one data directory."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from rota.core.errors import Conflict, Unavailable
from rota.datadir import LOCK


class Ownership:
    """Held until `release` or the end of the process; the kernel lets go of it even after kill -9."""

    def __init__(self, directory: Path, file: int) -> None:
        self.directory = directory
        self._file: int | None = file

    def release(self) -> None:
        # The file stays: to remove it would let two processes hold a lock on two files of the same name.
        if self._file is not None:
            os.truncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def make_directory(directory: str | Path) -> Path:
    """The data directory, made for its owner alone if it is missing. Unavailable if it cannot be."""
    path = Path(directory).absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"the data directory {path} cannot be made: {error.strerror}") from error
    return path


def take_ownership(directory: str | Path) -> Ownership:
    """Make the data directory and hold it. Conflict, with the holder's pid, if a server runs on it."""
    path = make_directory(directory)
    try:
        file = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(f"the data directory {path} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(file, 20, 0).decode().strip() or "unknown"
        os.close(file)
        hint = "stop that one first, or choose another directory with --data"
        raise Conflict(f"a server with pid {holder} already runs on {path}", hint=hint) from error
    os.truncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return Ownership(path, file)

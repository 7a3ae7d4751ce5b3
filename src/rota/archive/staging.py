"""A data directory in the making: it is there as a whole, or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rota.archive.files import PARTS
from rota.core.errors import Conflict, Unavailable
from rota.datadir import DATABASE

INSIDE = ".restoring"


class Staging:
    """`folder` is filled by its maker; `settle` makes it the data directory."""

    def __init__(self, data_dir: Path, folder: Path) -> None:
        self._data_dir = data_dir
        self.folder = folder

    def settle(self) -> None:
        """The database comes last: what has one is whole."""
        os.sync()  # what takes its name is on the disk
        if self.folder.parent != self._data_dir:
            self.folder.rename(self._data_dir)
            return
        for path in sorted(self.folder.iterdir(), key=lambda each: each.name.startswith(DATABASE)):
            path.rename(self._data_dir / path.name)
        self.folder.rmdir()


@contextmanager
def stage(data_dir: Path, *, is_begun: bool = False) -> Iterator[Staging]:
    """A folder beside a directory that is not there yet, or inside one that is empty, which may be a mounted disk.

    What a restore that was killed has left there goes; `is_begun`: there was one, so what is there may be its files. Raises
    Conflict if there is anything else, or another restore is at work, and Unavailable if it cannot be written.
    """
    try:
        folder = _make_folder(data_dir, is_begun=is_begun)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(f"{data_dir} cannot be made: {error.strerror}") from error
    try:
        _hold(lock, data_dir)
        _clear(folder, data_dir)
        try:
            yield Staging(data_dir, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        os.close(lock)


def _make_folder(data_dir: Path, *, is_begun: bool) -> Path:
    left = {path.name for path in data_dir.iterdir()} if data_dir.exists() else None
    if left is None:
        folder = data_dir.with_name(f"{data_dir.name}.restoring")
    elif not left or ((is_begun or INSIDE in left) and left <= {INSIDE, *PARTS}):
        folder = data_dir / INSIDE
    else:
        raise Conflict(f"{data_dir} is not empty", hint="name another directory with --data")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    return folder


def _hold(lock: int, data_dir: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(f"another restore into {data_dir} is at work", hint="wait for it") from None


def _clear(folder: Path, data_dir: Path) -> None:
    """Leave nothing of a try that was killed, but the folder itself, which is locked."""
    left = list(folder.iterdir())
    if folder.parent == data_dir:
        left += [data_dir / name for name in PARTS if (data_dir / name).exists()]
    for path in left:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    folder.chmod(0o700)

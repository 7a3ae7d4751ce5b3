"""An object on its way to the disk: not there until it is whole."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from rota.blobs.refusal import StorageRefused
from rota.core.errors import Unavailable

FOLDER = "incoming"


class Incoming:
    """A file that takes its place when it is whole and on the disk. Blocks, so it is never used on an event loop."""

    def __init__(self, root: Path, place: Path, most: int) -> None:
        self._place = place
        self._most = most
        self._size = 0
        self._path = root / FOLDER / secrets.token_hex(16)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = open(self._path, "xb", buffering=0, opener=_private)  # noqa: SIM115  closed by finish or abort

    def write(self, data: bytes | memoryview) -> None:
        """Raises StorageRefused as soon as it is too large, Unavailable where there is no room."""
        self._size += len(data)
        if self._size > self._most:
            raise StorageRefused("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise Unavailable(f"the object cannot be written: {error.strerror}") from error

    def finish(self) -> None:
        """Raises Unavailable."""
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.replace(self._place)
            _sync(self._place.parent)
        except OSError as error:
            raise Unavailable(f"the object cannot be written: {error.strerror}") from error

    def abort(self) -> None:
        """Leave nothing behind. Harmless after `finish`."""
        self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    """A new name is on the disk when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Files and folders that modules may touch: those below the roots of the settings, opened so that no link leads out of them."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO

from rota.core.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
PRIVATE = 0o600
# Gone, a link, a socket.
NO_FILE = (errno.ENOENT, errno.ELOOP, errno.ENXIO)


@contextmanager
def open_folder(path: str, roots: Sequence[str]) -> Iterator[int]:
    """The descriptor of a folder. Links on the way are followed as long as they stay below a root.

    Raises Unavailable without roots, Forbidden outside of them, NotFound for what is not there or no folder.
    """
    descriptor = _walk_down(path, roots)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_file(path: str, roots: Sequence[str]) -> Iterator[FileIO]:
    """A plain file, to read. Raises as open_folder does."""
    folder, name = _split(path)
    with open_folder(folder, roots) as descriptor:
        file = open_plain(descriptor, name)
        if file is None:
            raise NotFound(f"{path} is no plain file")
        with file:
            yield file


def open_plain(folder: int, name: str) -> FileIO | None:
    """A plain file of a folder, to read; None for what is gone, a link, or no file. Never waits. Raises Conflict if not let."""
    try:
        descriptor = os.open(name, FILE, dir_fd=folder)
    except OSError as error:
        if error.errno in NO_FILE:
            return None
        raise Conflict(f"{name} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return FileIO(descriptor, "rb")


@contextmanager
def replacing(path: str, roots: Sequence[str]) -> Iterator[FileIO]:
    """A file to write, which takes its place whole at the end, and not at all after an error. Its owner alone may read it.

    Raises Conflict while another run writes the same, and as open_folder does.
    """
    folder, name = _split(path)
    with open_folder(folder, roots) as descriptor, replacing_in(descriptor, name) as file:
        yield file


@contextmanager
def replacing_in(folder: int, name: str) -> Iterator[FileIO]:
    """The same in an open folder. What a killed run left is written over."""
    part = f".{name}.part"
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, PRIVATE, dir_fd=folder)
    with FileIO(descriptor, "r+b") as file:
        _claim(descriptor, folder, part)
        try:
            yield file
            os.fsync(descriptor)
            os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(part, dir_fd=folder)
            raise
    os.fsync(folder)


def _claim(descriptor: int, folder: int, part: str) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise Conflict(f"something that is no file stands at {part}")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(f"{part} is being written by another run") from None
    # Whoever had it before may have put it into its place between our opening and our claim.
    if not os.path.samestat(os.fstat(descriptor), os.stat(part, dir_fd=folder, follow_symlinks=False)):
        raise Conflict(f"{part} was just written by another run")
    os.truncate(descriptor, 0)


def _split(path: str) -> tuple[str, str]:
    folder, name = os.path.split(path)
    if name in ("", ".", ".."):
        raise Invalid(f"{path} names no file")
    return folder, name


def _walk_down(path: str, roots: Sequence[str]) -> int:
    if not roots:
        raise Unavailable("no folder may be touched: [files] roots of the settings must name those that may")
    if not path.startswith("/") or "\x00" in path:
        raise Invalid(f"{path[:200]!r} must be an absolute path")
    # Where it leads now; the way down follows no link any more, so that one made meanwhile is an error and no way out.
    real = os.path.realpath(path)
    for root in map(os.path.realpath, roots):
        if os.path.commonpath([root, real]) == root:
            return _open_below(root, os.path.relpath(real, root), path)
    raise Forbidden(f"{path} is in none of the folders that [files] roots of the settings names")


def _open_below(root: str, below: str, path: str) -> int:
    descriptor = _open_step(root, path, None)
    for part in [] if below == "." else below.split("/"):
        try:
            following = _open_step(part, path, descriptor)
        finally:
            os.close(descriptor)
        descriptor = following
    return descriptor


def _open_step(part: str, path: str, above: int | None) -> int:
    try:
        return os.open(part, FOLDER | (0 if above is None else os.O_NOFOLLOW), dir_fd=above)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{path} is not there, or no folder") from None
    except OSError as error:
        raise Conflict(f"{path} cannot be opened: {error.strerror}") from None

"""What is below a folder, without following links."""

import os
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from rota.core.errors import Conflict


class Entry(Struct, frozen=True):
    """One thing of a tree.

    path    below the folder, with / between
    folder  descriptor of the folder it is in, open until the next entry is asked for
    told    as lstat tells it
    """

    path: str
    folder: int
    told: os.stat_result

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.told.st_mode)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.told.st_mode)


def walk(folder: int, exclude: Sequence[str] = ()) -> Iterator[Entry]:
    """Everything below, folders before what is in them, in the order of names. What goes away meanwhile is left out.

    exclude  patterns of names (`*.tmp`) or of paths below (`cache/*`); with a folder goes what is in it

    Raises Conflict for a folder that cannot be read: nobody is to believe that all is there.
    """
    for top, folders, files, descriptor in os.fwalk(".", dir_fd=folder, follow_symlinks=False, onerror=_refuse):
        above = "" if top == "." else f"{top.removeprefix('./')}/"
        folders.sort()
        for name in sorted([*folders, *files]):
            path = f"{above}{name}"
            told = _look(name, descriptor)
            if told is None or _is_left_out(path, exclude):
                if name in folders:
                    folders.remove(name)
                continue
            yield Entry(path, descriptor, told)


def is_excluded(path: str, exclude: Sequence[str]) -> bool:
    """Whether `walk` would leave this path out, or a folder above it."""
    parts = path.split("/")
    return any(_is_left_out("/".join(parts[:length]), exclude) for length in range(1, len(parts) + 1))


def _is_left_out(path: str, exclude: Sequence[str]) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatchcase(name, each) or fnmatchcase(path, each) for each in exclude)


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise Conflict(f"the folder {error.filename} cannot be read: {error.strerror}")


def _look(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None

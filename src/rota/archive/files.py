"""The files of a data directory that a backup holds, each as it is at one moment."""

import errno
import os
import stat
from collections.abc import Container, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rota.blobs.incoming import FOLDER as INCOMING
from rota.datadir import BLOBS, LOGS, PLACE
from rota.logs.name import LogPaths, run_id_of

# What of a data directory is copied; the database comes as its tables, the rest is of the server that runs.
FOLDERS = (LOGS, BLOBS)
# With what tells this directory from others: what the database says of its logs is said of this name.
PARTS = (PLACE, *FOLDERS)
# A log begins a new file a few times in its life, and not while we look.
MOST_LOOKS = 10


class Found(NamedTuple):
    """A file that is open, and how much of it is copied: more may come."""

    path: Path
    size: int
    file: BinaryIO


def open_files(data_dir: Path, runs: Container[str]) -> Iterator[Found]:
    """All but the logs of other runs than these, each open until the next is asked for.

    Files of one log are from one look at it: they belong together.
    """
    for group in chain([[data_dir / PLACE]], _groups(data_dir, runs)):
        with ExitStack() as opened:
            yield from _open_together(group, opened)


def _groups(data_dir: Path, runs: Container[str]) -> Iterator[list[Path]]:
    for folder in FOLDERS:
        for place, folders, names in os.walk(data_dir / folder):
            if Path(place) == data_dir / BLOBS and INCOMING in folders:
                folders.remove(INCOMING)  # on their way: nobody knows them yet
            yield from _groups_of(place, names, runs)


def _groups_of(place: str, names: Iterable[str], runs: Container[str]) -> Iterator[list[Path]]:
    logs = set()
    for name in sorted(names):
        run_id = run_id_of(name)
        if run_id is None:
            yield [Path(place, name)]
        elif run_id in runs:
            logs.add(name.lstrip(".").partition(".log")[0] + ".log")
    for name in sorted(logs):
        yield LogPaths(f"{place}/", name).all()


def _open_together(paths: list[Path], opened: ExitStack) -> list[Found]:
    """Those that are there. After the last look they are taken as they are: readers know how to read a torn log."""
    looks = 0
    while True:
        looks += 1
        with ExitStack() as looked:
            found = [(path, file) for path in paths if (file := _open(path, looked)) is not None]
            if looks == MOST_LOOKS or all(_is_still(path, file) for path, file in found):
                opened.push(looked.pop_all())
                return _measure(found)


def _measure(found: list[tuple[Path, BinaryIO]]) -> list[Found]:
    """Bytes are written before the index tells of them, so the index is measured first."""
    in_order = sorted(found, key=lambda each: each[0].suffix != ".meta")
    return [Found(path, os.fstat(file.fileno()).st_size, file) for path, file in in_order]


def _open(path: Path, opened: ExitStack) -> BinaryIO | None:
    """None for one that is not there, and for what is no plain file."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        return opened.enter_context(os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb"))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return None
        raise


def _is_still(path: Path, file: BinaryIO) -> bool:
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False

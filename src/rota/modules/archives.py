"""Archives of folders: one tar a run, with the moment in its name, and old ones deleted."""

import os
import re
import stat
import tarfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import RawIOBase
from typing import Any, Literal

from msgspec import Struct

from rota.modules.places import open_plain
from rota.modules.trees import Entry, walk

Form = Literal["tar.gz", "tar.xz", "tar"]
_MODES: dict[Form, Any] = {"tar.gz": "w:gz", "tar.xz": "w:xz", "tar": "w:"}
_STAMP = "%Y-%m-%dT%H%M%SZ"
# Told of what was read: bytes. May raise, which ends the archive.
Told = Callable[[int], None]


class Packed(Struct, frozen=True):
    """files and folders and links, bytes before compression, and what could not be packed: sockets, pipes, devices"""

    entries: int
    bytes: int
    left_out: list[str]


class Kept(Struct, frozen=True):
    """How long archives are kept: so many of the newest, for so many days; 0 = without end. The newest always is."""

    count: int = 0
    days: int = 0


def archive_name(prefix: str, moment: datetime, form: Form) -> str:
    """Names sort as the moments do."""
    return f"{prefix}-{moment.astimezone(UTC).strftime(_STAMP)}.{form}"


def pack(folder: int, into: Any, form: Form, prefix: str, target: int, exclude: Sequence[str], told: Told) -> Packed:
    """Write an archive of all that is below a folder.

    into    a binary file
    target  the folder archives are in: those of ours in it are left out, so that they do not hold each other
    """
    entries = total = 0
    left_out: list[str] = []
    with tarfile.open(fileobj=into, mode=_MODES[form], format=tarfile.PAX_FORMAT) as archive:
        for entry in walk(folder, exclude):
            if _is_ours(entry, prefix, target):
                continue
            size = _add(archive, entry, told)
            if size is None:
                left_out.append(entry.path)
            else:
                entries, total = entries + 1, total + size
    return Packed(entries, total, left_out)


def measure(folder: int, exclude: Sequence[str]) -> int:
    """Bytes of all plain files below."""
    return sum(entry.told.st_size for entry in walk(folder, exclude) if entry.is_file)


def prune(target: int, prefix: str, kept: Kept, now: datetime) -> list[str]:
    """Delete archives of this prefix that are not to be kept any more. Returns their names, the newest first."""
    found = sorted(_archives(target, prefix), reverse=True)
    gone = [
        name
        for number, (moment, name) in enumerate(found)
        if number > 0 and ((kept.count and number >= kept.count) or (kept.days and now - moment > timedelta(days=kept.days)))
    ]
    for name in gone:
        os.unlink(name, dir_fd=target)
    return gone


def _archives(target: int, prefix: str) -> Iterator[tuple[datetime, str]]:
    for name in os.listdir(target):
        moment = _moment_of(name, prefix)
        if moment is not None and stat.S_ISREG(os.stat(name, dir_fd=target, follow_symlinks=False).st_mode):
            yield moment, name


def _moment_of(name: str, prefix: str) -> datetime | None:
    match = re.fullmatch(rf"{re.escape(prefix)}-(\d{{4}}-\d\d-\d\dT\d{{6}}Z)\.(tar|tar\.gz|tar\.xz)", name)
    try:
        return datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def _is_ours(entry: Entry, prefix: str, target: int) -> bool:
    name = entry.name.removeprefix(".").removesuffix(".part")
    return _moment_of(name, prefix) is not None and os.path.samestat(os.fstat(entry.folder), os.fstat(target))


def _add(archive: tarfile.TarFile, entry: Entry, told: Told) -> int | None:
    """Bytes of its content; None for what has no place in an archive, or is gone."""
    info = _info(entry)
    if info is None:
        return None
    if not entry.is_file:
        archive.addfile(info)
        return 0
    file = open_plain(entry.folder, entry.name)
    if file is None:
        return None
    with file:
        info.size = os.fstat(file.fileno()).st_size
        archive.addfile(info, _Filled(file, told))  # type: ignore[arg-type]
    return info.size


def _info(entry: Entry) -> tarfile.TarInfo | None:
    info, told = tarfile.TarInfo(entry.path), entry.told
    info.mode, info.mtime, info.uid, info.gid = stat.S_IMODE(told.st_mode), told.st_mtime, told.st_uid, told.st_gid
    if entry.is_folder:
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(told.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(entry.name, dir_fd=entry.folder)
    elif not entry.is_file:
        return None
    return info


class _Filled:
    """A file with the size it had when it was opened: one that is cut meanwhile is filled with zeros, as tar does."""

    def __init__(self, file: RawIOBase, told: Told) -> None:
        self._file = file
        self._told = told

    def read(self, size: int) -> bytes:
        found = self._file.read(size) or b""
        while len(found) < size and (more := self._file.read(size - len(found))):
            found += more
        self._told(len(found))
        return found.ljust(size, b"\0")

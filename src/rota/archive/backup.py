"""Writes an installation into one file, while it is in use."""

import fcntl
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from rota import __version__
from rota.archive.contents import ACCOUNT, FILES, FILLING, FORMAT, HEAD, TABLES, Account, Head, Held, Measured, Part, Tally
from rota.archive.files import Found, open_files
from rota.core.errors import Conflict, Unavailable
from rota.store import copying
from rota.store.begun import Begun, find_begun
from rota.store.copying import Digest
from rota.store.database import Connection, Database
from rota.store.migrate import newest_migration

# A third of the time that the best one takes, for a file that is a tenth larger.
COMPRESSION = 5


def back_up(database: Database, data_dir: Path, target: Path, now: datetime, node: str | None = None) -> Account:
    """The tables as of one moment, then the logs and artifacts, which may be a little newer; none of a run that began later.

    The file is a tar, compressed where its name ends in `gz`, for its owner alone; it is there under its name when it is whole.
    `node`: whose files these are, where several share the database. Raises Conflict if there is one of that name, Unavailable
    if it cannot be written.
    """
    if target.exists():
        raise _taken(target)
    try:
        with _new_file(target) as file:
            account = _write(database, data_dir, file, now, node, is_packed=target.name.endswith("gz"))
    except FileExistsError:
        raise _taken(target) from None
    except OSError as error:
        about = f" ({error.filename})" if error.filename else ""
        raise Unavailable(f"the backup {target} cannot be written: {error.strerror or error}{about}") from error
    return account


def _taken(target: Path) -> Conflict:
    return Conflict(f"{target} is there already", hint="name a new file")


@contextmanager
def _new_file(target: Path) -> Iterator[BinaryIO]:
    """A file that takes its name at the end, if all is well. Raises Conflict while another process writes it."""
    part = target.with_name(f"{target.name}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"a backup to {target} is being made already", hint="wait for it, or name another file") from None
        try:
            os.fchmod(file.fileno(), 0o600)  # it may be one that a backup left which was killed
            file.truncate()
            yield file
            file.flush()
            os.fsync(file.fileno())
            _take_name(part, target)
        finally:
            part.unlink(missing_ok=True)


def _take_name(part: Path, target: Path) -> None:
    """Unlike a rename, a link never takes the place of another file; some file systems have none. Raises FileExistsError."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        if target.exists():
            raise FileExistsError from None
        part.rename(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(database: Database, data_dir: Path, raw: BinaryIO, now: datetime, node: str | None, *, is_packed: bool) -> Account:
    with _open_tar(raw, is_packed=is_packed) as tar:
        tables, counters, begun = database.run(lambda c: _write_tables(c, tar, node), write=False)
        tally = Tally()
        for found in open_files(data_dir, begun):
            tally.add(_add_file(tar, found, data_dir))
        account = Account(
            format=FORMAT, version=__version__, made_at=now, tables=tables, counters=counters, files=tally.files,
            contents=tally.contents,
        )  # fmt: skip
        _add_bytes(tar, ACCOUNT, msgspec.json.encode(account))
    return account


def _open_tar(raw: BinaryIO, *, is_packed: bool) -> tarfile.TarFile:
    if is_packed:
        return tarfile.open(fileobj=raw, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=COMPRESSION)
    return tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT)


def _write_tables(c: Connection, tar: tarfile.TarFile, node: str | None) -> tuple[dict[str, Held], dict[str, int], Begun]:
    head = Head(format=FORMAT, version=__version__, schema=newest_migration(c), node=node)
    _add_bytes(tar, HEAD, msgspec.json.encode(head))
    found = {}
    for table in copying.copied_tables():
        digest = Digest()
        for number, page in enumerate(copying.read_pages(c, table)):
            digest = digest.plus(page.rows)
            part = Part(page.columns, [list(row) for row in page.rows])
            _add_bytes(tar, f"{TABLES}{table}/{number:06}.json", msgspec.json.encode(part))
        found[table] = Held(copying.columns_of(table), digest)
    return found, copying.read_counters(c), find_begun(c)


def _add_file(tar: tarfile.TarFile, found: Found, data_dir: Path) -> Measured:
    name = str(found.path.relative_to(data_dir))

    def read(size: int) -> bytes:
        data = found.file.read(size)
        return data + FILLING * (size - len(data))  # a full disk may have cut the end of a log off again

    measured = Measured(name, read)
    tar.addfile(_info(f"{FILES}{name}", found.size), measured)  # type: ignore[arg-type]  # all it needs is read()
    return measured


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_info(name, len(data)), io.BytesIO(data))


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info

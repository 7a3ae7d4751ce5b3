"""Writes an installation into one file, while it is in use."""

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from rota import __version__
from rota.core.errors import Conflict, Unavailable
from rota.datadir import BLOBS, LOGS
from rota.store import copying
from rota.store.copying import Digest
from rota.store.database import Connection, Database

FORMAT = 1
TABLES = "tables/"
FILES = "files/"
ACCOUNT = "account.json"
# What of a data directory is copied; the database comes as its tables, the rest is of the server that runs.
FOLDERS = (LOGS, BLOBS)


class Held(Struct, frozen=True):
    """What a backup holds of a table."""

    columns: list[str]
    digest: Digest


class Account(Struct, frozen=True, kw_only=True):
    """What a backup holds. It is the last member of the file, so that one which was cut off has none."""

    format: int
    version: str
    made_at: datetime
    tables: dict[str, Held]
    counters: dict[str, int]
    files: int

    @property
    def rows(self) -> int:
        return sum(table.digest.rows for table in self.tables.values())


class Part(Struct, frozen=True):
    """Some rows of a table, as a member of the file."""

    columns: list[str]
    rows: list[list[Any]]


def back_up(database: Database, data_dir: Path, target: Path, now: datetime) -> Account:
    """The tables as of one moment, then the logs and artifacts, which may be a little newer.

    The file is a tar, compressed where its name ends in `gz`, for its owner alone; it is there under its name when it is whole.
    Raises Conflict if there is one of that name, Unavailable if it cannot be written.
    """
    if target.exists():
        raise Conflict(f"{target} is there already", hint="name a new file")
    part = target.with_name(f"{target.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            account = _write(database, data_dir, raw, now, is_packed=target.name.endswith("gz"))
            raw.flush()
            os.fsync(raw.fileno())
        os.link(part, target)  # unlike a rename, it never takes the place of another
    except FileExistsError:
        raise Conflict(f"{target} is there already", hint="name a new file") from None
    except OSError as error:
        raise Unavailable(f"the backup {target} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return account


def _write(database: Database, data_dir: Path, raw: Any, now: datetime, *, is_packed: bool) -> Account:
    with tarfile.open(fileobj=raw, mode="w:gz" if is_packed else "w", format=tarfile.PAX_FORMAT) as tar:
        tables, counters = database.run(lambda c: _write_tables(c, tar), write=False)
        files = sum(_add_file(tar, path, data_dir) for path in _files(data_dir))
        account = Account(format=FORMAT, version=__version__, made_at=now, tables=tables, counters=counters, files=files)
        _add_bytes(tar, ACCOUNT, msgspec.json.encode(account))
    return account


def _write_tables(c: Connection, tar: tarfile.TarFile) -> tuple[dict[str, Held], dict[str, int]]:
    found = {}
    for table in copying.copied_tables():
        digest = Digest()
        for number, page in enumerate(copying.read_pages(c, table)):
            digest = digest.plus(page.rows)
            part = Part(page.columns, [list(row) for row in page.rows])
            _add_bytes(tar, f"{TABLES}{table}/{number:06}.json", msgspec.json.encode(part))
        found[table] = Held(copying.columns_of(table), digest)
    return found, copying.read_counters(c)


def _files(data_dir: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for place, _, names in os.walk(data_dir / folder):
            yield from (Path(place, name) for name in sorted(names))


def _add_file(tar: tarfile.TarFile, path: Path, data_dir: Path) -> bool:
    """False for one that is gone meanwhile, and for what is no plain file. A log that grows is copied up to where it was."""
    status = path.lstat() if path.exists() else None
    if status is None or not stat.S_ISREG(status.st_mode):
        return False
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            tar.addfile(_info(f"{FILES}{path.relative_to(data_dir)}", os.fstat(file.fileno()).st_size), file)
    except FileNotFoundError:
        return False
    return True


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_info(name, len(data)), io.BytesIO(data))


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info

"""Makes an installation out of a backup."""

import os
import shutil
import tarfile
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from rota.archive.backup import ACCOUNT, FILES, FORMAT, TABLES, Account, Part
from rota.core.errors import Conflict, Invalid
from rota.datadir import DATABASE
from rota.store import copying
from rota.store.database import Connection, open_database

HINT = "take another copy of it"


def restore(source: Path, data_dir: Path, url: str | None = None) -> Account:
    """Fill a new data directory, and the empty PostgreSQL database at `url` or else a new SQLite file, from a backup.

    All or nothing: rows are written in one transaction, files into a folder beside, which takes the name in the end. Raises
    Conflict if there is data already, Invalid if the file is no whole backup, or one of a newer version.
    """
    if data_dir.exists() and any(data_dir.iterdir()):
        raise Conflict(f"{data_dir} is not empty", hint="name another directory with --data")
    folder = data_dir.with_name(f"{data_dir.name}.restoring")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        with closing(open_database(url or folder / DATABASE, use="replace")) as database:
            account = database.run(lambda c: _fill(c, source, folder))
        _take_name(folder, data_dir)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return account


def _take_name(folder: Path, data_dir: Path) -> None:
    os.sync()  # what takes the name is on the disk
    if data_dir.exists():
        data_dir.rmdir()
    folder.rename(data_dir)


def _fill(c: Connection, source: Path, folder: Path) -> Account:
    copying.check_empty(c)
    account: Account | None = None
    try:
        with tarfile.open(source, "r|*") as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is None or account is not None:
                    raise Invalid(f"{source} is no backup of Rota: {member.name[:200]}")
                account = _take(c, member.name, file, folder)
    except (tarfile.TarError, EOFError, msgspec.DecodeError) as error:
        raise Invalid(f"{source} cannot be read as a backup: {error}", hint=HINT) from None
    if account is None:
        raise Invalid(f"{source} was cut off: it has no account of what it holds", hint=HINT)
    copying.write_counters(c, account.counters)
    _verify(c, account)
    return account


def _take(c: Connection, name: str, file: IO[bytes], folder: Path) -> Account | None:
    """One member; the account, if it is that."""
    if name == ACCOUNT:
        return _read_account(file.read())
    if name.startswith(TABLES):
        part = msgspec.json.decode(file.read(), type=Part)
        copying.write_rows(c, PurePosixPath(name).parts[1], part.columns, part.rows)
    elif name.startswith(FILES):
        _write_file(file, folder, PurePosixPath(name.removeprefix(FILES)))
    else:
        raise Invalid(f"a backup of Rota holds no {name[:200]!r}")
    return None


def _read_account(data: bytes) -> Account:
    account = msgspec.json.decode(data, type=Account)
    if account.format > FORMAT:
        raise Invalid(f"the backup was made by Rota {account.version}, which is newer", hint="install that version")
    return account


def _write_file(file: IO[bytes], folder: Path, name: PurePosixPath) -> None:
    """Below the folder, whatever its name says."""
    if name.is_absolute() or ".." in name.parts:
        raise Invalid(f"a backup of Rota holds no file {str(name)[:200]!r}")
    path = folder.joinpath(*name.parts)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        shutil.copyfileobj(file, target, 1024 * 1024)


def _verify(c: Connection, account: Account) -> None:
    """Raises Invalid for a table that does not hold what the backup says of it."""
    for table, held in account.tables.items():
        if copying.digest(c, table, held.columns) != held.digest:
            raise Invalid(f"the backup does not hold what it says of the table {table}", hint=HINT)

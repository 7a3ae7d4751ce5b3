"""What a backup holds, on its way into a new installation, compared with what the backup says of itself."""

import os
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from rota.archive.contents import ACCOUNT, FILES, FORMAT, HEAD, TABLES, Account, Measured, Part, Tally
from rota.archive.files import FOLDERS
from rota.core.errors import Invalid
from rota.datadir import PLACE
from rota.store import copying
from rota.store.database import Connection

HINT = "take another copy of it"
PIECE_BYTES = 1024 * 1024


class Filling:
    """Takes members in the order of the file; the account is the last of them."""

    def __init__(self, c: Connection, folder: Path) -> None:
        self._c = c
        self._folder = folder
        self._tally = Tally()
        self._tables: set[str] = set()
        self.account: Account | None = None

    def take(self, name: str, file: IO[bytes]) -> None:
        """Raises Invalid for what is no part of a backup."""
        if name == ACCOUNT:
            self.account = _read_account(file.read())
        elif name.startswith(TABLES):
            self._take_rows(PurePosixPath(name).parts[1], msgspec.json.decode(file.read(), type=Part))
        elif name.startswith(FILES):
            self._take_file(name.removeprefix(FILES), file)
        elif name != HEAD:
            raise Invalid(f"a backup of Rota holds no {name[:200]!r}")

    def verify(self, account: Account) -> None:
        """Raises Invalid if it was not what the account says."""
        if more := self._tables - set(account.tables):
            raise Invalid(f"the backup holds more than it says: {', '.join(sorted(more))[:200]}", hint=HINT)
        for table, held in account.tables.items():
            copying.check_columns(self._c, table, held.columns)
            if copying.digest(self._c, table, held.columns) != held.digest:
                raise Invalid(f"the backup does not hold what it says of the table {table}", hint=HINT)
        if self._tally.files != account.files or account.contents not in (None, self._tally.contents):
            raise Invalid("the backup does not hold what it says of logs and artifacts", hint=HINT)

    def _take_rows(self, table: str, part: Part) -> None:
        if any(len(row) != len(part.columns) for row in part.rows):
            raise Invalid(f"the backup holds torn rows of the table {table[:200]}", hint=HINT)
        copying.write_rows(self._c, table, part.columns, part.rows)
        self._tables.add(table)

    def _take_file(self, name: str, file: IO[bytes]) -> None:
        measured = Measured(name, file.read)
        try:
            with _create(self._folder, name) as target:
                while piece := measured.read(PIECE_BYTES):
                    target.write(piece)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise Invalid(f"the backup holds {name[:200]!r} twice", hint=HINT) from None
        self._tally.add(measured)


def _read_account(data: bytes) -> Account:
    account = msgspec.json.decode(data, type=Account)
    if account.format > FORMAT:
        raise Invalid(f"the backup was made by Rota {account.version}, which is newer", hint="install that version")
    return account


def _create(folder: Path, name: str) -> IO[bytes]:
    """Among the logs and artifacts, whatever its name says; for the owner alone, as the folders it is in."""
    parts = PurePosixPath(name).parts
    if (name != PLACE and (len(parts) < 2 or parts[0] not in FOLDERS)) or ".." in parts or "\0" in name:
        raise Invalid(f"a backup of Rota holds no file {name[:200]!r}")
    for part in parts[:-1]:
        folder = folder / part
        folder.mkdir(mode=0o700, exist_ok=True)
    return os.fdopen(os.open(folder / parts[-1], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")

"""Makes an installation out of a backup."""

import tarfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec

from rota.archive.contents import FIRST_SCHEMA, FORMAT, HEAD, Account, Head
from rota.archive.filling import HINT, Filling
from rota.archive.gathered import FindBlobs, gather_logs, in_directory
from rota.archive.staging import stage
from rota.core.errors import Conflict, Invalid
from rota.datadir import DATABASE
from rota.store import copying, nodes, settings
from rota.store.database import Connection, open_database
from rota.store.migrate import list_migrations, newest_migration
from rota.store.moved import RESTORE

T = TypeVar("T")
LONGEST_HEAD_BYTES = 64 * 1024
# What reading a file that is none of ours, or is damaged, can end in.
DAMAGE = (tarfile.TarError, EOFError, zlib.error, msgspec.MsgspecError, UnicodeError, OverflowError)


def restore(
    source: Path, data_dir: Path, url: str | None = None, node: str | None = None, find_blobs: FindBlobs = in_directory
) -> Account:
    """Fill a new data directory, and the empty PostgreSQL database at `url` or else a new SQLite file, from a backup.

    All or nothing: rows are written in one transaction, files into a folder of their own, which takes its place in the end. A
    server refuses a database until that is done; one that a restore has filled which was killed then is filled again.
    Tables of an older version go through the migrations since. `node`: the name of the node that has these files from now on;
    `find_blobs`: where objects are. Logs that servers shared in their database become files where there is one server.
    Raises Conflict if there is data already, Invalid if the file is no whole backup, or one of a newer version.
    """
    head = _read(source, lambda: _read_head(source))
    is_begun = url is not None and _is_begun(url, head)
    with stage(data_dir, is_begun=is_begun) as staging:
        place = url or staging.folder / DATABASE
        with closing(open_database(place, use="replace", upto=head.schema)) as database:
            account = database.run(lambda c: _read(source, lambda: _fill(c, source, staging.folder, head)))
        with closing(open_database(place, use="replace")) as database:  # the migrations since
            database.run(lambda c: _name_node(c, head, node))
            if url is None:
                gather_logs(database, staging.folder, find_blobs)
            else:
                staging.settle()
                database.run(lambda c: settings.delete_setting(c, RESTORE))
        if url is None:
            staging.settle()
    return account


def _read(source: Path, work: Callable[[], T]) -> T:
    """Raises Invalid for whatever a damaged file ends in."""
    try:
        return work()
    except DAMAGE as error:
        raise Invalid(f"{source} cannot be read as a backup: {error}", hint=HINT) from None


def _read_head(source: Path) -> Head:
    with tarfile.open(source, "r|*") as tar:
        member = tar.next()
        file = tar.extractfile(member) if member and member.isreg() else None
        if member is None or file is None:
            raise Invalid(f"{source} is no backup of Rota")
        if member.name != HEAD:  # as in format 1; what it holds is seen as it comes
            return Head(format=1, version="", schema=FIRST_SCHEMA)
        head = msgspec.json.decode(file.read(LONGEST_HEAD_BYTES), type=Head)
    if head.format > FORMAT or head.schema > list_migrations()[-1].number:
        raise Invalid(f"the backup was made by Rota {head.version}, which is newer", hint="install that version")
    return head


def _is_begun(url: str, head: Head) -> bool:
    """Whether a restore into this database was killed. Raises Conflict if it cannot be filled."""
    with closing(open_database(url, use="replace", upto=head.schema)) as database:
        return database.run(lambda c: _check_room(c, head), write=False)


def _check_room(c: Connection, head: Head) -> bool:
    is_begun = settings.find_setting(c, RESTORE) is not None
    if not is_begun:
        copying.check_empty(c)
        if newest_migration(c) > head.schema:
            raise Conflict("the database has the tables of a newer version", hint="use one that has none yet")
    return is_begun


def _fill(c: Connection, source: Path, folder: Path, head: Head) -> Account:
    if _check_room(c, head):
        copying.clear(c)
    filling = Filling(c, folder)
    with tarfile.open(source, "r|*") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            if file is None or filling.account is not None:
                raise Invalid(f"{source} is no backup of Rota: {member.name[:200]!r}")
            filling.take(member.name, file)
    if filling.account is None:
        raise Invalid(f"{source} was cut off: it has no account of what it holds", hint=HINT)
    copying.write_counters(c, filling.account.counters)
    filling.verify(filling.account)
    if c.dialect == "postgres":
        settings.upsert_setting(c, RESTORE, str(filling.account.made_at))
    return filling.account


def _name_node(c: Connection, head: Head, node: str | None) -> None:
    """The logs that this restore brings are on this node; who has a database of its own needs no name."""
    if head.node is not None or head.format == 1:
        on_postgres = c.dialect == "postgres"
        nodes.rename_node(c, head.node or ("" if on_postgres else None), node if on_postgres else None)

"""Backups taken apart and put together otherwise, and what an installation holds."""

import io
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from tests.store.filled import ROWS, row_of

from rota.archive.contents import FIRST_SCHEMA
from rota.store import copying
from rota.store.connection import Connection
from rota.store.database import Database, open_sqlite
from rota.store.tables import TABLES

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


def digests(database: Database) -> dict[str, copying.Digest]:
    def read(c: Connection) -> dict[str, copying.Digest]:
        return {table: copying.digest(c, table) for table in copying.copied_tables()}

    return database.run(read, write=False)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def members(backup: Path) -> dict[str, bytes]:
    with tarfile.open(backup) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def packed(target: Path, parts: dict[str, bytes]) -> Path:
    with tarfile.open(target, "w") as tar:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return target


def changed(backup: Path, name: str, data: bytes | None) -> Path:
    """A copy in which a member says something else, or is not there, or that has one more behind its head."""
    parts = members(backup)
    more = {} if data is None else {name: data}
    parts = {"head.json": parts["head.json"]} | more | parts | more
    if data is None:
        del parts[name]
    return packed(backup.with_name("changed.tar"), parts)


def older(backup: Path, schema: int) -> Path:
    """The same as a version would have written it that knew only so many migrations; the first format if it is the first."""
    with closing(open_sqlite(backup.with_name("older.db"), upto=schema)) as database:
        known = database.run(
            lambda c: {t: [row[0] for row in c.rows("SELECT name FROM pragma_table_info(?)", (t,))] for t in TABLES}
        )
        database.run(lambda c: fill_known(c, known))
        digests = database.run(lambda c: {t: copying.digest(c, t, held) for t, held in known.items() if held})
    parts = {}
    for name, data in members(backup).items():
        if name.startswith("tables/"):
            table, part = name.split("/")[1], msgspec.json.decode(data)
            keep = [n for n, column in enumerate(part["columns"]) if column in known[table]]
            rows = [[row[n] for n in keep] for row in part["rows"]]
            data = msgspec.json.encode({"columns": [part["columns"][n] for n in keep], "rows": rows})
            if not keep:
                continue
        parts[name] = data
    account = msgspec.json.decode(parts["account.json"])
    account["tables"] = {
        table: {"columns": [column for column in TABLES[table] if column in known[table]], "digest": digests[table]}
        for table in copying.copied_tables() if known[table]
    }  # fmt: skip
    head = msgspec.json.decode(parts["head.json"]) | {"schema": schema}
    if schema == FIRST_SCHEMA:
        del parts["head.json"], account["contents"]
        account["format"] = 1
    else:
        parts["head.json"] = msgspec.json.encode(head)
    return packed(backup.with_name("older.tar"), parts | {"account.json": msgspec.json.encode(account)})


def fill_known(c: Connection, known: dict[str, list[str]]) -> None:
    for table in copying.copied_tables():
        columns = [column for column in TABLES[table] if column in known[table]]
        if columns and table not in ("run_logs", "log_chunks"):
            copying.write_rows(c, table, columns, [row_of(table, columns, n) for n in range(1, ROWS + 1)])

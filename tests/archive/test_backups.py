"""Backups and restores: whole, private, verified, from and to both databases."""

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from tests.store.filled import fill

from rota.archive import back_up, restore
from rota.core.errors import Conflict, Invalid
from rota.store import copying
from rota.store.connection import Connection
from rota.store.database import Database, open_database, open_postgres, open_sqlite

pytestmark = pytest.mark.e2e

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with some rows in every table, SQLite if no other is asked for, and its data directory."""
    data = tmp_path / "data"
    for name in ("logs/task/.20270101_120000_x.log.meta", "logs/task/20270101_120000_x.log", "blobs/tasks/a b/ä.bin"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(name.encode() * 1000)
    (data / "server.lock").write_text("1")
    url = request.getfixturevalue("new_postgres") if getattr(request, "param", "") == "postgres" else data / "rota.db"
    with closing(open_database(url)) as database:
        database.run(fill)
        yield database


def digests(database: Database) -> dict[str, copying.Digest]:
    def read(c: Connection) -> dict[str, copying.Digest]:
        return {table: copying.digest(c, table) for table in copying.copied_tables()}

    return database.run(read, write=False)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("source", ["sqlite", "postgres"], indirect=True)
@pytest.mark.parametrize("name", ["all.tar", "all.tar.gz"])
def test_what_was_backed_up_comes_back_as_it_was(source: Database, tmp_path: Path, name: str) -> None:
    account = back_up(source, tmp_path / "data", tmp_path / name, NOON)
    assert restore(tmp_path / name, tmp_path / "again") == account
    with closing(open_sqlite(tmp_path / "again" / "rota.db")) as restored:
        assert digests(restored) == digests(source)
    kept = {path: data for path, data in files(tmp_path / "data").items() if path.startswith(("logs", "blobs"))}
    assert {path: data for path, data in files(tmp_path / "again").items() if not path.startswith("rota.db")} == kept
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "again").stat().st_mode) == 0o700


def test_a_backup_of_sqlite_fits_postgres(tmp_path: Path, new_postgres: str) -> None:
    with closing(open_sqlite(tmp_path / "rota.db")) as database:
        database.run(fill)
        back_up(database, tmp_path, tmp_path / "all.tar", NOON)
        restore(tmp_path / "all.tar", tmp_path / "again", new_postgres)
        with closing(open_postgres(new_postgres)) as restored:
            assert digests(restored) == digests(database)
        with pytest.raises(Conflict, match="holds data already"):
            restore(tmp_path / "all.tar", tmp_path / "more", new_postgres)


def test_nothing_is_written_over(source: Database, tmp_path: Path) -> None:
    backup = tmp_path / "all.tar"
    back_up(source, tmp_path / "data", backup, NOON)
    before = backup.read_bytes()
    with pytest.raises(Conflict, match="is there already"):
        back_up(source, tmp_path / "data", backup, NOON)
    with pytest.raises(Conflict, match="is not empty"):
        restore(backup, tmp_path / "data")
    assert backup.read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
def test_a_backup_that_was_cut_off_is_refused_and_leaves_nothing(source: Database, tmp_path: Path, share: float) -> None:
    whole = tmp_path / "all.tar"
    back_up(source, tmp_path / "data", whole, NOON)
    data = whole.read_bytes().rstrip(b"\0")
    (tmp_path / "cut.tar").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(Invalid, match=r"cut off|cannot be read"):
        restore(tmp_path / "cut.tar", tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert not (tmp_path / "again.restoring").exists()


def changed(backup: Path, name: str, data: bytes) -> Path:
    """A copy in which a member says something else, or that has one more at its begin."""
    target = backup.with_name("changed.tar")
    with tarfile.open(backup) as old, tarfile.open(target, "w") as new:
        members = {member.name: old.extractfile(member).read() for member in old}  # type: ignore[union-attr]
        for member, text in ({name: data} | members | {name: data}).items():
            info = tarfile.TarInfo(member)
            info.size = len(text)
            new.addfile(info, io.BytesIO(text))
    return target


@pytest.mark.parametrize("name", ["files/../../escaped", "files//etc/escaped", "other/thing"])
def test_a_backup_cannot_reach_out_of_its_folder(source: Database, tmp_path: Path, name: str) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    with pytest.raises(Invalid, match="holds no"):
        restore(changed(tmp_path / "all.tar", name, b"x"), tmp_path / "deep" / "again")
    assert not list(tmp_path.rglob("escaped"))


def test_rows_that_were_tampered_with_are_noticed(source: Database, tmp_path: Path) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    with tarfile.open(tmp_path / "all.tar") as tar:
        part = msgspec.json.decode(tar.extractfile("tables/users/000000.json").read())  # type: ignore[union-attr]
    part["rows"][0][3] = "mallory@example.org"
    forged = changed(tmp_path / "all.tar", "tables/users/000000.json", msgspec.json.encode(part))
    with pytest.raises(Invalid, match="the table users"):
        restore(forged, tmp_path / "again")


def test_a_backup_of_a_newer_version_is_refused(source: Database, tmp_path: Path) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    newer = msgspec.json.encode({"columns": ["id", "shoe_size"], "rows": [["x", 43]]})
    with pytest.raises(Invalid, match="shoe_size"):
        restore(changed(tmp_path / "all.tar", "tables/users/000000.json", newer), tmp_path / "again")


def test_a_log_that_grows_and_one_that_goes_do_no_harm(source: Database, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data" / "logs" / "pipe")
    (tmp_path / "data" / "logs" / "link").symlink_to("/etc/hostname")
    (tmp_path / "data" / "logs" / "gone").symlink_to("nowhere")
    account = back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    assert account.files == 3

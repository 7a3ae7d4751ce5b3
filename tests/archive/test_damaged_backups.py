"""Backups that were cut, changed, crafted, or written by another version."""

import tarfile
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.archive.conftest import LOG
from tests.archive.packing import NOON, changed, members, older

from rota.archive import back_up, restore
from rota.archive.contents import FIRST_SCHEMA
from rota.core.errors import Conflict, Invalid
from rota.store.database import Database, open_sqlite
from rota.store.migrate import list_migrations, newest_migration

pytestmark = pytest.mark.e2e


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


@pytest.mark.parametrize(
    "name", ["files/logs/../../escaped", "files//etc/escaped", "other/escaped", "files/escaped", "files/other/escaped",
             "files/rota.db-wal/escaped", "files/logs", "files/"],
)  # fmt: skip
def test_a_backup_cannot_reach_out_of_its_folders(source: Database, tmp_path: Path, name: str) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    with pytest.raises(Invalid, match="holds no"):
        restore(changed(tmp_path / "all.tar", name, b"x"), tmp_path / "deep" / "again")
    assert not list(tmp_path.rglob("escaped"))
    assert not list((tmp_path / "deep").iterdir())


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_only_plain_files_come_out_of_a_backup(source: Database, tmp_path: Path, kind: bytes) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    with tarfile.open(tmp_path / "all.tar") as old, tarfile.open(tmp_path / "linked.tar", "w") as new:
        for number, member in enumerate(old):
            new.addfile(member, old.extractfile(member))
            if number == 0:
                link = tarfile.TarInfo("files/logs/link")
                link.type, link.linkname = kind, str(tmp_path / "data" / "server.lock")
                new.addfile(link)
    with pytest.raises(Invalid, match="is no backup"):
        restore(tmp_path / "linked.tar", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_rows_that_were_tampered_with_are_noticed(source: Database, tmp_path: Path) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    part = msgspec.json.decode(members(tmp_path / "all.tar")["tables/users/000000.json"])
    part["rows"][0][3] = "mallory@example.org"
    forged = changed(tmp_path / "all.tar", "tables/users/000000.json", msgspec.json.encode(part))
    with pytest.raises(Invalid, match="the table users"):
        restore(forged, tmp_path / "again")


MEMBER = f"files/logs/task/{LOG}"


@pytest.mark.parametrize(
    ("name", "data"), [(MEMBER, b"tampered with"), (MEMBER, None), ("files/logs/more", b""), ("tables/users/000000.json", None)]
)
def test_no_part_of_a_backup_changes_comes_or_goes_unnoticed(
    source: Database, tmp_path: Path, name: str, data: bytes | None
) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    with pytest.raises((Invalid, Conflict), match=r"does not hold what it says|does not fit"):
        restore(changed(tmp_path / "all.tar", name, data), tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["x"]], "torn rows"),
        ([["x", {"a": 1}]], "cannot be read"),
        ([["x", 10**30]], "cannot be read"),
    ],
)
def test_rows_that_are_none_are_refused_in_words(source: Database, tmp_path: Path, rows: list[object], told: str) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    part = msgspec.json.encode({"columns": ["name", "value"], "rows": rows})
    with pytest.raises(Invalid, match=told):
        restore(changed(tmp_path / "all.tar", "tables/settings/000000.json", part), tmp_path / "again")


@pytest.mark.parametrize("data", [b"", b"no tar at all", b"\x1f\x8b\x08 nearly gzip", b"\0" * 10240])
def test_what_is_no_backup_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(Invalid, match="backup"):
        restore(tmp_path / "x.tar", tmp_path / "again")
    assert list(tmp_path.iterdir()) == [tmp_path / "x.tar"]


def test_a_backup_of_a_newer_version_is_refused(source: Database, tmp_path: Path) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    for head in ({"format": 3, "version": "9.9", "schema": 1}, {"format": 2, "version": "9.9", "schema": 9999}):
        with pytest.raises(Invalid, match=r"made by Rota 9\.9, which is newer"):
            restore(changed(tmp_path / "all.tar", "head.json", msgspec.json.encode(head)), tmp_path / "again")
    newer = msgspec.json.encode({"columns": ["id", "shoe_size"], "rows": [["x", 43]]})
    with pytest.raises(Invalid, match="shoe_size"):
        restore(changed(tmp_path / "all.tar", "tables/users/000000.json", newer), tmp_path / "again")


@pytest.mark.parametrize("schema", [FIRST_SCHEMA, FIRST_SCHEMA + 1, 4])
def test_a_backup_of_an_older_version_goes_through_the_migrations_since(source: Database, tmp_path: Path, schema: int) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    restore(older(tmp_path / "all.tar", schema), tmp_path / "again")
    with closing(open_sqlite(tmp_path / "again" / "rota.db")) as restored:
        assert restored.run(newest_migration) == list_migrations()[-1].number
        assert restored.run(lambda c: c.rows("SELECT name FROM users ORDER BY id")) == source.run(
            lambda c: c.rows("SELECT name FROM users ORDER BY id"), write=False
        )


def test_tables_of_a_newer_version_are_not_filled_with_those_of_an_older(
    source: Database, tmp_path: Path, new_postgres: str
) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    with pytest.raises(Conflict, match="tables of a newer version"):
        restore(older(tmp_path / "all.tar", 4), tmp_path / "again", new_postgres)
    assert not (tmp_path / "again").exists()

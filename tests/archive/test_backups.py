"""Backups and restores: whole, private, from and to both databases."""

import fcntl
import os
import stat
from contextlib import closing
from pathlib import Path

import pytest
from tests.archive.packing import NOON, digests, files
from tests.store.filled import fill

from rota.archive import back_up, restore
from rota.core.errors import Conflict, Unavailable
from rota.store.database import Database, open_postgres, open_sqlite

pytestmark = pytest.mark.e2e


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


def test_a_log_that_grows_and_one_that_goes_do_no_harm(source: Database, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data" / "logs" / "pipe")
    (tmp_path / "data" / "logs" / "link").symlink_to("/etc/hostname")
    (tmp_path / "data" / "logs" / "gone").symlink_to("nowhere")
    (tmp_path / "data" / "blobs" / "incoming").mkdir()
    (tmp_path / "data" / "blobs" / "incoming" / "half").write_text("ha")
    account = back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    assert account.files == 3


@pytest.mark.parametrize("gz", ["", ".gz"])
def test_a_backup_that_a_killed_one_left_behind_is_written_over_and_made_private(
    source: Database, tmp_path: Path, gz: str
) -> None:
    part = tmp_path / f"all.tar{gz}.part"
    part.write_bytes(b"x" * 10_000_000)
    part.chmod(0o644)
    account = back_up(source, tmp_path / "data", tmp_path / f"all.tar{gz}", NOON)
    assert stat.S_IMODE((tmp_path / f"all.tar{gz}").stat().st_mode) == 0o600
    assert not part.exists()
    assert restore(tmp_path / f"all.tar{gz}", tmp_path / "again") == account


def test_two_backups_do_not_write_one_file(source: Database, tmp_path: Path) -> None:
    with (tmp_path / "all.tar.part").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="being made already"):
            back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
        assert (tmp_path / "all.tar.part").exists()


def test_a_backup_never_writes_through_a_link(source: Database, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "all.tar.part").symlink_to(tmp_path / "precious")
    with pytest.raises(Unavailable, match="cannot be written"):
        back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    assert (tmp_path / "precious").read_text() == "kept"


def test_the_log_of_a_run_that_began_after_the_moment_of_the_backup_is_not_in_it(source: Database, tmp_path: Path) -> None:
    """A restore begins such a run, or knows nothing of it."""
    logs = tmp_path / "data" / "logs" / "task"
    (logs / "20270101_120001_0192f0c1-2d3e-7abc-8def-000000000009.log").write_text("newer than all that are known")
    (logs / ".20270101_120001_0192f0c1-2d3e-7abc-8def-000000000003.log.meta").write_text("of one that waited")
    source.run(lambda c: c.run("UPDATE runs SET state = 'pending', started_at = NULL WHERE id LIKE '%3'"))
    assert back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON).files == 3

"""Where a restore puts what it brings, also after one that was killed."""

import os
import stat
from contextlib import closing
from pathlib import Path

import pytest
from tests.archive.packing import NOON, digests, files

from rota.archive import back_up, restore
from rota.archive.staging import stage
from rota.core.errors import Conflict
from rota.store.connection import Connection
from rota.store.database import Database, open_postgres, open_sqlite
from rota.store.moved import refuse_unusable

pytestmark = pytest.mark.e2e


def test_what_comes_out_of_a_backup_is_for_its_owner_alone(source: Database, tmp_path: Path) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    (tmp_path / "again").mkdir()
    before = os.umask(0o022)
    try:
        restore(tmp_path / "all.tar", tmp_path / "again")
    finally:
        os.umask(before)
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "again").rglob("*")}
    assert modes == {True: 0o700, False: 0o600}


def test_a_directory_that_is_there_and_empty_stays_the_same_one(source: Database, tmp_path: Path) -> None:
    """It may be a disk of its own, or another user's."""
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    (tmp_path / "again").mkdir()
    before = (tmp_path / "again").stat().st_ino
    restore(tmp_path / "all.tar", tmp_path / "again")
    assert (tmp_path / "again").stat().st_ino == before
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == ["blobs", "logs", "rota.db"]


@pytest.mark.parametrize(
    "left", [[".restoring/rota.db"], [".restoring/rota.db", "logs/task/half"], [".restoring/x/y", "blobs/x"]]
)
def test_what_a_killed_restore_left_in_its_directory_goes(source: Database, tmp_path: Path, left: list[str]) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    for name in left:
        (tmp_path / "again" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "again" / name).write_text("half")
    account = restore(tmp_path / "all.tar", tmp_path / "again")
    assert len(files(tmp_path / "again")) == account.files + 1


@pytest.mark.parametrize("other", ["rota.db", "server.lock", "mine.txt"])
def test_a_directory_with_anything_else_is_left_alone(source: Database, tmp_path: Path, other: str) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    (tmp_path / "again" / ".restoring").mkdir(parents=True)
    (tmp_path / "again" / other).write_text("mine")
    with pytest.raises(Conflict, match="is not empty"):
        restore(tmp_path / "all.tar", tmp_path / "again")
    assert (tmp_path / "again" / other).read_text() == "mine"


def test_two_restores_into_one_directory_are_refused(source: Database, tmp_path: Path) -> None:
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    with stage(tmp_path / "again") as staging:
        (staging.folder / "of the first").touch()
        with pytest.raises(Conflict, match="another restore"):
            restore(tmp_path / "all.tar", tmp_path / "again")
        assert (staging.folder / "of the first").exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_a_restore_into_postgres_that_was_killed_before_its_files_were_in_place_is_made_again(
    source: Database, tmp_path: Path, new_postgres: str, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    account = back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON)
    if is_there:
        (tmp_path / "again").mkdir()

    class Killed(BaseException):
        """Stands for kill -9."""

    def die(_c: Connection, _name: str) -> bool:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("rota.store.settings.delete_setting", die)
        with pytest.raises(Killed):
            restore(tmp_path / "all.tar", tmp_path / "again", new_postgres)
    with (
        closing(open_postgres(new_postgres)) as half,
        pytest.raises(Conflict, match=r"restore into this database .* not finished"),
    ):
        half.run(refuse_unusable)
    assert restore(tmp_path / "all.tar", tmp_path / "again", new_postgres) == account
    with closing(open_postgres(new_postgres)) as restored:
        restored.run(refuse_unusable)
        assert digests(restored) == digests(source)
    assert len(files(tmp_path / "again")) == account.files


@pytest.mark.parametrize("source", ["sqlite", "postgres"], indirect=True)
def test_logs_stay_with_the_node_that_has_them_now(source: Database, tmp_path: Path) -> None:
    source.run(lambda c: c.run("UPDATE runs SET started_at = 1"))
    source.run(lambda c: c.run("UPDATE runs SET node = 'old' WHERE id LIKE '%1'"))
    source.run(lambda c: c.run("UPDATE runs SET node = 'other' WHERE id LIKE '%2'"))
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON, "old")
    restore(tmp_path / "all.tar", tmp_path / "a", None, "new")
    with closing(open_sqlite(tmp_path / "a" / "rota.db")) as alone:
        assert alone.run(lambda c: c.rows("SELECT node FROM runs ORDER BY id")) == [(None,), ("other",), (None,)]


def test_logs_stay_with_the_node_that_has_them_now_among_others(source: Database, tmp_path: Path, new_postgres: str) -> None:
    source.run(lambda c: c.run("UPDATE runs SET started_at = 1"))
    source.run(lambda c: c.run("UPDATE runs SET node = 'old' WHERE id LIKE '%1'"))
    source.run(lambda c: c.run("UPDATE runs SET node = 'other' WHERE id LIKE '%2'"))
    back_up(source, tmp_path / "data", tmp_path / "all.tar", NOON, "old")
    restore(tmp_path / "all.tar", tmp_path / "b", new_postgres, "new")
    with closing(open_postgres(new_postgres)) as shared:
        assert shared.run(lambda c: c.rows("SELECT node FROM runs ORDER BY id")) == [("new",), ("other",), ("new",)]

import asyncio
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rota.core.errors import Conflict, Unavailable
from rota.store.connection import Connection, Contended
from rota.store.database import Database, open_sqlite
from rota.store.sqlite import SqliteDriver, check

WRITE_IN_A_LOOP = """
import asyncio, sys
from rota.store.database import open_sqlite

async def call(database, caller):
    for i in range(10**9):
        name = f"{caller}-{i}"
        await database.write(lambda c: c.run("INSERT INTO settings (name, value) VALUES (?, ?)", (name, "x" * 200)))
        print(name, flush=True)

async def main():
    database = open_sqlite(sys.argv[1])
    await asyncio.gather(*[call(database, caller) for caller in range(8)])

asyncio.run(main())
"""


VISIT = """
import sys
from rota.store.database import open_sqlite

database = open_sqlite(sys.argv[1])
database.run(lambda c: c.rows("SELECT name FROM settings"))
database.close()
"""


def store(name: str, size: int) -> Any:
    return lambda c: c.run("INSERT INTO settings (name, value) VALUES (?, ?)", (name, "x" * size))


def count(c: Connection) -> int:
    row = c.row("SELECT COUNT(*) FROM settings")
    assert row is not None
    return int(row[0])


def set_room(database: Database, pages: int) -> None:
    """Let the file grow by so many pages: what lies beyond is a full disk to SQLite."""
    database.run(lambda c: c.rows(f"PRAGMA max_page_count = {c.rows('PRAGMA page_count')[0][0] + pages}"))


@pytest.fixture
def path(sqlite_template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sqlite_template, tmp_path / "rota.db"))


def test_a_full_disk_is_told_and_passes(path: Path) -> None:
    with closing(open_sqlite(path)) as database:
        set_room(database, 2)
        with pytest.raises(Unavailable, match="disk is full"):
            database.run(store("big", 100_000))
        assert not database.healthy
        assert database.problem is not None and "disk is full" in database.problem
        assert database.run(count) == 0
        assert not database.healthy  # reading proved nothing
        set_room(database, 1_000)
        database.run(store("big", 100_000))
        assert database.healthy


def test_on_a_full_disk_a_batch_loses_no_more_than_what_does_not_fit(path: Path) -> None:
    async def work(database: Database) -> list[Any]:
        sizes = [10, 100_000, 10, 100_000, 10]
        calls = [database.write(store(f"{i}", size)) for i, size in enumerate(sizes)]
        return await asyncio.gather(*calls, return_exceptions=True)

    with closing(open_sqlite(path)) as database:
        set_room(database, 2)
        results = asyncio.run(work(database))
        stored = {row[0] for row in database.run(lambda c: c.rows("SELECT name FROM settings"))}
        assert stored == {f"{i}" for i, result in enumerate(results) if result == 1}
        assert isinstance(results[1], Unavailable) and isinstance(results[3], Unavailable)


def test_a_log_that_cannot_grow_fails_the_commit_and_nothing_before_it_is_lost(path: Path) -> None:
    """The operating system refuses the write in the middle of a commit, as on a full disk."""
    with closing(open_sqlite(path)) as database:
        database.run(store("before", 10))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        try:
            with pytest.raises(Unavailable):
                database.run(store("big", 1_000_000))
            assert database.problem is not None
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        database.run(store("after", 1_000_000))
        assert database.healthy
    with closing(open_sqlite(path)) as database:
        assert {row[0] for row in database.run(lambda c: c.rows("SELECT name FROM settings"))} == {"before", "after"}


def test_a_commit_that_fails_is_an_error_for_every_caller_of_the_batch(path: Path) -> None:
    """A foreign key that is looked at last, at the commit, stands for any commit that is refused."""
    started, gate = threading.Event(), threading.Event()

    def hold_up(c: Connection) -> None:
        started.set()
        gate.wait(10)

    def leave_dangling(c: Connection) -> None:
        c.run("PRAGMA defer_foreign_keys = ON")
        c.run("INSERT INTO memberships (project_id, user_id, joined_at) VALUES (1, 'nobody', 0)")

    async def work(database: Database) -> list[Any]:
        first = asyncio.ensure_future(database.write(hold_up))
        await asyncio.to_thread(started.wait)
        calls = [asyncio.ensure_future(database.write(fn)) for fn in (store("a", 1), leave_dangling, store("b", 1))]
        await asyncio.sleep(0)
        gate.set()
        await first
        return await asyncio.gather(*calls, return_exceptions=True)

    with closing(open_sqlite(path)) as database:
        assert [type(result) for result in asyncio.run(work(database))] == [Conflict] * 3
        assert database.run(count) == 0
        database.run(store("a", 1))


def test_another_process_that_holds_the_database_too_long_is_named_as_the_reason(path: Path) -> None:
    with closing(SqliteDriver(path).connect()) as c, closing(SqliteDriver(path).connect()) as other:
        other.begin()
        c.rows("PRAGMA busy_timeout = 1")
        with pytest.raises(sqlite3.OperationalError) as caught:
            c.begin()
        assert isinstance(c.translate(caught.value), Contended)


def test_an_unclean_end_is_noticed_and_a_clean_one_leaves_no_trace(path: Path, tmp_path: Path) -> None:
    with closing(open_sqlite(path)) as database:
        database.run(store("a", 1))
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{tmp_path}/crashed.db{suffix}")
    assert SqliteDriver(path).ended_cleanly()
    assert not SqliteDriver(tmp_path / "crashed.db").ended_cleanly()
    with closing(open_sqlite(tmp_path / "crashed.db")) as database:
        assert database.run(count) == 1


def test_a_damaged_file_is_refused_after_an_unclean_end(path: Path) -> None:
    with closing(open_sqlite(path)) as database:
        database.run(lambda c: c.run_many("INSERT INTO settings VALUES (?, ?)", [(f"{i}", "x" * 500) for i in range(200)]))
    with path.open("r+b") as file:
        file.seek(-20_000, os.SEEK_END)
        file.write(b"\xff" * 16_000)
    Path(f"{path}-wal").write_bytes(b"left over")
    with pytest.raises(Unavailable, match="damaged"):
        open_sqlite(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database" * 100)
    with pytest.raises(Unavailable, match="not a database"):
        open_sqlite(path)


def test_only_the_writer_brings_the_log_back_into_the_file(path: Path) -> None:
    writer, reader = SqliteDriver(path).connect(), SqliteDriver(path).connect_reader()
    with closing(writer), closing(reader):
        assert reader.rows("PRAGMA wal_autocheckpoint") == [(0,)]
        assert writer.rows("PRAGMA synchronous") == [(2,)]
        assert writer.rows("PRAGMA journal_mode") == [("wal",)]
        assert writer.rows("PRAGMA foreign_keys") == [(1,)]


def test_every_acknowledged_write_survives_a_kill_at_any_moment(path: Path) -> None:
    rng = random.Random()
    acknowledged: set[str] = set()
    for _ in range(3):
        command = [sys.executable, "-c", WRITE_IN_A_LOOP, str(path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert child.stdout is not None
        for _ in range(rng.randrange(1, 2_000)):
            acknowledged.add(child.stdout.readline().strip())
        child.send_signal(signal.SIGKILL)
        acknowledged.update(line.strip() for line in child.stdout if line.endswith("\n"))
        child.wait()
        child.stdout.close()
        c = SqliteDriver(path).connect()
        with closing(c):
            check(c)
            assert acknowledged <= {row[0] for row in c.rows("SELECT name FROM settings")}
            c.run("DELETE FROM settings")
            acknowledged.clear()


def test_nobody_else_can_read_the_files_of_a_database(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with closing(open_sqlite(tmp_path / "rota.db")) as database:
            database.run(store("secret", 10))
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["rota.db", "rota.db-wal", "rota.db-shm"], 0o600)


def test_another_process_that_comes_and_goes_takes_nothing_away(path: Path) -> None:
    with closing(open_sqlite(path)) as database:
        database.run(store("first", 10))
        database.run(count, write=False)  # a reader of its own is opened beside the writer
        log = Path(f"{path}-wal").stat().st_ino
        subprocess.run([sys.executable, "-c", VISIT, str(path)], check=True)
        assert Path(f"{path}-wal").stat().st_ino == log
        database.run(store("second", 10))
        killed = shutil.copytree(path.parent, path.parent / "after a kill")
    with closing(open_sqlite(killed / path.name)) as found:
        assert found.run(count) == 2

"""The command line on PostgreSQL, with the server down."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result
from tests.databases import EMPTY
from tests.factories import NOON, make_new_run, make_task

from rota.bus import RIGHTS
from rota.store import runs, sharedlogs, tasks
from rota.store.connection import Connection
from rota.store.database import open_postgres
from rota.store.logchunks import Chunk
from rota.store.postgres import PostgresDriver
from rota.store.sharedlogs import Told as Portion
from rota.store.wakeups import CHANNEL

Call = Callable[..., Result]
Told = Callable[..., Any]
SCHEMA = "command_line"


@pytest.fixture
def database(postgres_url: str) -> str:
    """The URL of a schema of its own, which is empty."""
    with closing(open_postgres(postgres_url, schema=SCHEMA)) as stored:
        stored.run(lambda c: c.run(EMPTY))
    return f"{postgres_url}&options=-csearch_path%3D{SCHEMA}"


def test_users_keys_and_lists_work_on_the_stored_data(told: Told, call: Call, database: str, home: Path) -> None:
    user = told("user", "add", "ada", "--database", database)
    assert user["name"] == "ada"
    assert call("user", "add", "ada", "--database", database).exit_code == 1
    assert call("key", "add", "--user", "ada", "--for", "native", "--database", database).exit_code == 0
    assert told("tasks", "--json", "--database", database) == {"items": []}
    assert not (home / ".rota" / "rota.db").exists()


def test_the_servers_on_the_database_hear_whose_key_was_taken_back(told: Told, call: Call, database: str) -> None:
    user = told("user", "add", "ben", "--database", database)
    key = told("key", "add", "--user", "ben", "--for", "native", "--json", "--database", database)
    with closing(PostgresDriver(database).listen(CHANNEL)) as listening:
        assert call("key", "revoke", key["id"], "--database", database).exit_code == 0
        [heard] = [each.payload for each in listening.notifies(timeout=10, stop_after=1)]
    assert json.loads(heard)["told"] == [[RIGHTS, {"actor_id": user["id"]}]]


def test_a_database_that_does_not_answer_is_told_without_its_password(call: Call) -> None:
    result = call("tasks", "--database", "postgresql://ada:hunter2@127.0.0.1:1/rota")
    assert result.exit_code == 3
    assert "the database does not answer" in result.stderr
    assert "hunter2" not in result.output


@pytest.mark.parametrize("password", ["hun%zzter2", "hun ter2"])
def test_a_url_that_cannot_be_read_is_told_without_its_password(call: Call, password: str) -> None:
    result = call("tasks", "--database", f"postgresql://ada:{password}@127.0.0.1:1/rota")
    assert result.exit_code == 2
    assert "the URL of the database cannot be read" in result.stderr
    assert "ter2" not in result.output


def test_a_log_that_is_not_in_the_files_here_is_said_to_be_elsewhere(call: Call, database: str, postgres_url: str) -> None:
    task = make_task(name="away")
    told, untold, silent = (make_new_run(task) for _ in range(3))

    def fill(c: Connection) -> None:
        tasks.insert_task(c, task)
        over = {"state": "succeeded", "started_at": NOON, "ended_at": NOON}
        runs.insert_runs(
            c, [msgspec.structs.replace(new, run=msgspec.structs.replace(new.run, **over)) for new in (told, untold, silent)]
        )
        c.run("UPDATE runs SET node = 'other'")
        for new, chunks in ((told, [Chunk(1, 1, "data", 0, b"one")]), (silent, [])):
            row = Portion(
                run_id=new.run.id, base=0, after_seq=0, seq=len(chunks), mark="[]", is_whole=True, drawn=None, chunks=chunks
            )  # fmt: skip
            sharedlogs.tell(c, "place of other", [row])

    stored = open_postgres(postgres_url, schema=SCHEMA)
    stored.run(fill)
    stored.close()
    results = [call("logs", new.run.id, "--database", database) for new in (told, untold, silent)]
    assert [result.exit_code for result in results] == [1, 1, 0]
    assert "in the database, and not in the files here" in results[0].stderr
    assert "on the node other, and not in the files here" in results[1].stderr
    assert results[2].output == ""

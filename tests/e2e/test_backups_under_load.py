"""Backups of a server that is busy, and restores and moves that are really killed."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.server_process import Run, ServerProcess

from rota.store.postgres import PostgresDriver

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.embedded("its runs leave artifacts in the folder of the server, and it is moved out of SQLite"),
]

LINES = 100
# What a command says that had done everything when it was killed.
DONE = ("is there already", "holds data already", "was moved to")
# Runs say themselves how often they were begun.
SETTINGS = """
[tasks.busy]
max_concurrent = 8
queue_max = 1000
run = '''
echo "$ROTA_RUN_ID" >> "$WITNESS/began"
for i in $(seq 100); do echo "$ROTA_RUN_ID $i"; done
mkdir -p "$ROTA_ARTIFACTS"; echo "$ROTA_RUN_ID" > "$ROTA_ARTIFACTS/out.txt"
'''

[tasks.endless]
run = 'echo "$ROTA_RUN_ID" >> "$WITNESS/began"; echo begun; exec sleep 1000'
"""


def test_backups_of_a_busy_server_agree_in_themselves(make_server: MakeServer) -> None:
    server = make_server(SETTINGS)
    server.start()
    endless = server.run("endless")
    server.until(lambda: server.log_texts(endless) == ["begun"])
    for _ in range(30):
        server.run("busy")
    backup = server.folder / "busy.tar.gz"
    with subprocess.Popen(server.cli_command("backup", str(backup)), cwd=server.folder, env=server.environ) as making:
        while making.poll() is None:
            server.run("busy")
    assert making.returncode == 0
    again = make_server(SETTINGS)
    restored = again.cli("restore", str(backup))
    assert restored.returncode == 0, restored.stderr
    again.start()
    states = Counter(run["state"] for run in again.until(lambda: settled(again)))
    check(again, endless)
    assert states["succeeded"] > 30


def settled(server: ServerProcess) -> list[Run] | None:
    runs = server.runs(task="busy")
    return runs if not server.live_runs("busy") else None


def check(server: ServerProcess, endless: str) -> None:
    """What had ended is whole, what ran has crashed and is not done again, what waited was done once."""
    assert server.get(f"/v1/runs/{endless}")["state"] == "crashed"
    assert server.log_texts(endless) == ["begun"]
    for run in server.runs(task="busy"):
        lines = server.log_texts(run["id"])
        assert lines == [f"{run['id']} {n + 1}" for n in range(len(lines))]
        assert run["state"] == "crashed" or (run["state"], len(lines)) == ("succeeded", LINES)
        if run["state"] == "succeeded":
            (artifact,) = server.get(f"/v1/runs/{run['id']}/artifacts")["items"]
            assert artifact_text(server, run["id"], artifact["id"]) == f"{run['id']}\n"
    began = (server.folder / "began").read_text().split() if (server.folder / "began").exists() else []
    assert len(began) == len(set(began))
    assert endless not in began


def artifact_text(server: ServerProcess, run_id: str, artifact_id: str) -> str:
    return server.http.get(f"/v1/runs/{run_id}/artifacts/{artifact_id}", follow_redirects=True).text


@contextmanager
def new_database(postgres_url: str) -> Iterator[str]:
    name = f"archive_{uuid4().hex}"
    with closing(PostgresDriver(postgres_url).connect()) as c:
        c.run(f"CREATE DATABASE {name}")
    yield postgres_url.replace("/postgres?", f"/{name}?")


def until_done(server: ServerProcess, *words: str) -> int:
    """Run a command, killed a little later each time, until it comes to its end, or finds that it had come there before it was
    killed. Returns how often it was killed.
    """
    for kills in range(100):
        command = subprocess.Popen(server.cli_command(*words), cwd=server.folder, env=server.environ, stderr=subprocess.PIPE)
        try:
            _, told = command.communicate(timeout=0.3 + kills * 0.25)
        except subprocess.TimeoutExpired:
            command.kill()
            command.communicate()
            continue
        assert command.returncode == 0 or any(words in told.decode() for words in DONE), told
        return kills
    raise AssertionError(f"{words} never came to an end")


def test_what_is_killed_is_done_again_and_comes_out_whole(make_server: MakeServer, postgres_url: str) -> None:
    """kill -9 of a server with a run, then of each command in turn, at one moment after another."""
    server = make_server(SETTINGS)
    server.start()
    endless = server.run("endless")
    server.until(lambda: server.log_texts(endless) == ["begun"])
    for _ in range(20):
        server.run("busy")
    before = {run["id"]: run for run in server.until(lambda: settled(server))}
    server.kill()
    assert until_done(server, "backup", "killed.tar") > 0
    again = make_server(SETTINGS)
    with new_database(postgres_url) as first, new_database(postgres_url) as second:
        assert until_done(again, "restore", str(server.folder / "killed.tar"), "--database", first) > 0
        assert until_done(server, "move", "--to", second) > 0
        for each, url in ((again, first), (server, second)):
            each.write_settings(f'[server]\ndatabase = "{url}"\n{SETTINGS}')
            each.start()
            assert {run["id"]: run for run in each.runs(task="busy")} == before
            assert each.until_state(endless)["state"] == "crashed"
            assert each.log_texts(endless) == ["begun"]
            assert each.pids_of(endless) == []
            assert each.until_state(each.run("busy"))["state"] == "succeeded"
            assert each.stop() == 0

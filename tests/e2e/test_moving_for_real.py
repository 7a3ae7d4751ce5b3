"""An installation that is backed up while it serves, restored elsewhere, and moved to PostgreSQL."""

from contextlib import closing
from uuid import uuid4

import httpx
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.server_process import ServerProcess

from rota.store.postgres import PostgresDriver

pytestmark = pytest.mark.e2e

SETTINGS = """
[tasks.hello]
run = 'echo "hello $ROTA_RUN_ID"'
"""


def history(server: ServerProcess) -> tuple[list[dict[str, object]], list[str]]:
    runs = server.runs(task="hello")
    return runs, server.log_texts(str(runs[-1]["id"]))


def lists_with(server: ServerProcess, key: str) -> int:
    return httpx.get(f"{server.url}/v1/runs", headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_backup_keeps_ids_history_logs_and_keys(make_server: MakeServer) -> None:
    server = make_server(SETTINGS)
    server.start()
    key = server.new_key("ann", "system.root")
    server.until_state(server.run("hello"))
    told = history(server)

    backup = server.folder / "all.tar.gz"
    assert server.cli("backup", str(backup)).returncode == 0
    again = make_server(SETTINGS)
    assert again.cli("restore", str(backup)).returncode == 0
    again.start()
    assert (history(again), lists_with(again, key)) == (told, 200)


@pytest.mark.embedded("only what is in SQLite can be moved")
def test_a_move_keeps_ids_history_logs_and_keys(make_server: MakeServer, postgres_url: str) -> None:
    server = make_server(SETTINGS)
    server.start()
    key = server.new_key("ann", "system.root")
    server.until_state(server.run("hello"))
    told = history(server)

    assert server.stop() == 0
    name = f"moved_{uuid4().hex}"
    with closing(PostgresDriver(postgres_url).connect()) as c:
        c.run(f"CREATE DATABASE {name}")
    url = postgres_url.replace("/postgres?", f"/{name}?")
    moved = server.cli("move", "--to", url)
    assert moved.returncode == 0, moved.stderr
    server.launch()
    assert server.wait() == 1
    assert "was moved to" in server.own_log()
    server.write_settings(f'[server]\ndatabase = "{url}"\n{SETTINGS}')
    server.start()
    assert (history(server), lists_with(server, key)) == (told, 200)
    assert server.until_state(server.run("hello"))["state"] == "succeeded"


THERE = """
[tasks.there]
runs_on = ["b"]
run = 'echo "hello $ROTA_RUN_ID"'
"""


def test_a_backup_of_one_node_has_the_logs_of_the_others(make_server: MakeServer, postgres_url: str) -> None:
    name = f"shared_{uuid4().hex}"
    with closing(PostgresDriver(postgres_url).connect()) as c:
        c.run(f"CREATE DATABASE {name}")
    url = postgres_url.replace("/postgres?", f"/{name}?")
    here = make_server(f'[server]\nnode = "a"\n{THERE}', database=url)
    there = make_server(f'[server]\nnode = "b"\nlabels = ["b"]\n{THERE}', database=url)
    here.start()
    there.start()
    run_id = here.run("there")
    assert here.until_state(run_id)["state"] == "succeeded"
    backup = here.folder / "one.tar"
    made = here.cli("backup", str(backup))
    assert made.returncode == 0, made.stderr
    assert there.stop() == here.stop() == 0

    alone = make_server(THERE)
    restored = alone.cli("restore", str(backup))
    assert restored.returncode == 0, restored.stderr
    alone.start()
    assert alone.log_texts(run_id) == [f"hello {run_id}"]

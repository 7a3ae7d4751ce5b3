"""The command line beside a running server: started runs, followed logs, receipts."""

import json
import subprocess

import pytest
from tests.e2e.conftest import MakeServer

pytestmark = pytest.mark.e2e

TREE = """
[tasks.tree]
graceful_stop = "0.3s"
run = '''
setsid sh -c "trap '' TERM; echo grandchild; while :; do sleep 0.1; done" &
sh -c "echo child; while :; do sleep 0.1; done"
'''
"""


def test_run_with_wait_shows_the_output_and_passes_the_exit_code_on(make_server: MakeServer) -> None:
    server = make_server("[tasks.seven]\nrun = 'echo out; echo err >&2; exit 7'\n[tasks.fine]\nrun = 'true'")
    server.start()
    told = server.cli("run", "seven", "--wait")
    assert (told.returncode, told.stdout) == (7, "out\n")
    assert "err\n" in told.stderr
    assert server.cli("run", "fine", "--wait").returncode == 0
    assert server.cli("run", "fin").returncode == 2


def test_a_log_is_followed_as_it_is_written_until_the_run_ends(make_server: MakeServer) -> None:
    server = make_server("""
        [tasks.talk]
        run = 'echo one; while [ ! -e "$WITNESS/go" ]; do sleep 0.02; done; echo two'
    """)
    server.start()
    run_id = server.run("talk")
    server.until_state(run_id, "running")
    with subprocess.Popen(server.cli_command("logs", "talk", "-f"), stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "one\n"
        assert server.get(f"/v1/runs/{run_id}")["state"] == "running"
        (server.folder / "go").touch()
        assert follower.stdout.read() == "two\n"
    assert follower.returncode == 0


def test_a_stop_prints_its_receipt_when_the_whole_tree_is_gone(make_server: MakeServer) -> None:
    server = make_server(TREE)
    server.start()
    run_id = server.run("tree")
    server.until(lambda: set(server.log_texts(run_id)) == {"child", "grandchild"})
    told = server.cli("stop", "tree", "--json")
    assert told.returncode == 0, told.stderr
    receipt = json.loads(told.stdout)
    assert receipt["result"] == "canceled"
    assert receipt["requested_at"] <= receipt["delivered_at"] <= receipt["ended_at"]
    assert server.work_pids() == {}
    assert server.get(f"/v1/runs/{run_id}")["state"] == "canceled"


def test_a_stop_that_comes_too_late_says_so(make_server: MakeServer) -> None:
    server = make_server("[tasks.quick]\nrun = 'true'")
    server.start()
    run_id = server.run("quick")
    server.until_state(run_id)
    assert json.loads(server.cli("stop", run_id, "--json").stdout)["result"] == "finished_first"


def test_commands_that_need_a_server_exit_with_3_without_one(make_server: MakeServer) -> None:
    server = make_server("[tasks.quick]\nrun = 'true'")
    server.start()
    server.kill()
    assert [server.cli(*words).returncode for words in (("run", "quick"), ("stop", "quick"), ("events", "publish", "t"))] == [
        3
    ] * 3
    assert server.cli("tasks").returncode == 0

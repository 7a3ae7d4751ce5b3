"""The command line beside a running server: started runs, followed logs, receipts."""

import json
import os
import signal
import subprocess
import tomllib

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
    assert [server.cli(*words).returncode for words in (("run", "quick"), ("stop", "quick"), ("events", "publish", "t"))] == [3] * 3
    assert server.cli("tasks").returncode == 0


# Starting, and not starting


def test_a_second_server_on_the_data_directory_is_refused(make_server: MakeServer) -> None:
    server = make_server("")
    server.start()
    second = server.cli("serve", "--listen", "127.0.0.1:0")
    assert second.returncode == 1
    assert f"a server with pid {server.pid} already runs on" in second.stderr
    assert server.get("/v1/info")["name"] == "rota"


def test_wrong_settings_start_nothing_and_write_nothing(make_server: MakeServer) -> None:
    server = make_server("[tasks.a]\ncorn = '* * * * *'\nrun = 'touch $WITNESS/ran'\n")
    server.launch()
    assert server.wait() == 1
    assert f"{server.config}:2:1" in server.own_log()
    assert "cron" in server.own_log().replace("corn", "")
    assert not server.data.exists()
    assert not (server.folder / "ran").exists()


def test_an_address_in_use_stops_the_start(make_server: MakeServer) -> None:
    first, second = make_server(""), make_server("[tasks.a]\nonce = '0s'\nrun = 'touch $WITNESS/ran'\n")
    first.start()
    told = second.cli("serve", "--listen", first.url.removeprefix("http://"))
    assert told.returncode == 1
    assert "cannot listen on" in told.stderr
    assert not (second.folder / "ran").exists()


# Stopping


def test_a_graceful_stop_ends_runs_within_the_shutdown_timeout(make_server: MakeServer) -> None:
    server = make_server("""
        [daemon]
        shutdown_timeout = "1s"
        [tasks.polite]
        run = 'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done'
        [tasks.deaf]
        graceful_stop = "1s"
        run = 'trap "" TERM; echo up; while :; do sleep 0.05; done'
    """)
    server.start()
    runs = [server.run("polite"), server.run("deaf")]
    server.until(lambda: all(server.log_texts(run_id) == ["up"] for run_id in runs))
    assert server.stop() == 0
    assert server.work_pids() == {}
    told = {run["id"]: run for run in json.loads(server.cli("runs", "--json").stdout)["items"]}
    assert [(told[run_id]["state"], told[run_id]["reason"]) for run_id in runs] == [("stopped", "shutdown"), ("stopped", "shutdown_overrun")]
    assert told[runs[0]]["exit_code"] == 0
    assert told[runs[1]]["exit_code"] == 137


def test_a_run_that_is_just_starting_when_the_server_stops_is_not_left_as_running(make_server: MakeServer) -> None:
    server = make_server("[tasks.work]\nmax_concurrent = 20\nrun = 'sleep 5'")
    for _ in range(3):
        server.start()
        for _ in range(8):
            server.run("work")
        server.stop()
        states = [run["state"] for run in json.loads(server.cli("runs", "--json").stdout)["items"]]
        assert "running" not in states
    assert "unclean" not in server.own_log()


# Reloading


@pytest.mark.parametrize("by", ["signal", "api"])
def test_a_reload_applies_the_whole_file_or_nothing(make_server: MakeServer, by: str) -> None:
    first = "[tasks.a]\nrun = 'echo old'\n[tasks.b]\nrun = 'true'\n"
    server = make_server(first)
    server.start()
    kept = server.get("/v1/tasks/a")["id"]

    def reload() -> None:
        if by == "signal":
            server.signal(signal.SIGHUP)
        else:
            server.http.post("/v1/reload")

    server.write_settings("[tasks.a]\nrun = 'echo new'\n[tasks.c]\nrun = 'true'\nretry_atempts = 3\n")
    reload()
    if by == "signal":
        server.until(lambda: "retry_attempts" in server.own_log())
    assert {task["name"] for task in server.get("/v1/tasks")["items"]} == {"a", "b"}
    assert server.get("/v1/tasks/a")["executor"]["script"] == "echo old"

    server.write_settings("[tasks.a]\nrun = 'echo new'\n[tasks.c]\nrun = 'true'\n")
    assert tomllib.loads(server.config.read_text())
    reload()
    server.until(lambda: {task["name"] for task in server.get("/v1/tasks")["items"]} == {"a", "c"})
    assert server.get("/v1/tasks/a")["id"] == kept
    run = server.until_state(server.run("a"))
    assert server.log_texts(run["id"]) == ["new"]


def test_a_reload_refused_by_the_api_names_the_place(make_server: MakeServer) -> None:
    server = make_server("[tasks.a]\nrun = 'true'\n")
    server.start()
    server.write_settings("[tasks.a]\nrun = 'true'\ntimeuot = '3s'\n")
    refused = server.http.post("/v1/reload")
    assert refused.status_code == 422
    assert "timeout" in refused.text
    assert server.cli("reload").returncode == 2
    server.write_settings("[server]\nmax_concurrent_runs = 3\n[tasks.a]\nrun = 'true'\n")
    assert server.http.post("/v1/reload").status_code == 409


def test_a_signal_to_the_child_alone_is_the_childs_own_failure(make_server: MakeServer) -> None:
    server = make_server("[tasks.shot]\nrun = 'echo $$; exec sleep 30'")
    server.start()
    run_id = server.run("shot")
    pid = int(server.until(lambda: server.log_texts(run_id))[0])
    os.kill(pid, signal.SIGKILL)
    run = server.until_state(run_id)
    assert (run["state"], run["exit_code"]) == ("failed", 137)

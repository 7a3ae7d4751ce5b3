"""When a server starts, when it refuses to, and what a stop leaves behind."""

import json

import pytest
from tests.e2e.conftest import MakeServer

pytestmark = pytest.mark.e2e


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
    assert [(told[run_id]["state"], told[run_id]["reason"]) for run_id in runs] == [
        ("stopped", "shutdown"),
        ("stopped", "shutdown_overrun"),
    ]
    assert told[runs[0]]["exit_code"] == 0
    assert told[runs[1]]["exit_code"] == 137


@pytest.mark.embedded("what was handed out to workers goes on without the server")
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

"""A disk without space: work goes on, the server says so, and nothing is lost. Space is taken away by a limit on file sizes."""

import resource

import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.promise import check_journal, check_promise
from tests.e2e.server_process import ServerProcess
from tests.e2e.witness import Witness, toml_script

pytestmark = [pytest.mark.e2e, pytest.mark.embedded("what the server writes, its database and the logs of runs, is on one disk")]

NO_LIMIT = resource.RLIM_INFINITY


def set_space(server: ServerProcess, most: int) -> None:
    """The size beyond which the server, and it alone, can write no file."""
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (most, NO_LIMIT))


def test_running_work_goes_on_without_space_and_nothing_is_lost(make_server: MakeServer) -> None:
    server = make_server(f"""
        [tasks.work]
        max_concurrent = 3
        run = {toml_script('while [ ! -e "$WITNESS/go" ]; do echo line; sleep 0.02; done; touch "$WITNESS/done"; exit 3')}
        [tasks.beat]
        cron = "* * * * * *"
        catch_up = "all"
        run = {toml_script()}
    """)
    server.start()
    run_id = server.run("work")
    server.until(lambda: server.log_texts(run_id))
    assert server.http.get("/readyz").status_code == 200

    set_space(server, 512)
    refused = server.until(lambda: _refused(server))
    assert refused["status"] == 503
    told = server.until(lambda: _unready(server))
    assert "store" in told["reasons"]
    assert server.get(f"/v1/runs/{run_id}")["state"] == "running"
    assert server.http.get("/livez").status_code == 200
    (server.folder / "go").touch()
    server.until((server.folder / "done").exists)
    server.until(lambda: server.pids_of(run_id) == [])

    set_space(server, NO_LIMIT)
    server.until(lambda: server.http.get("/readyz").status_code == 200)
    run = server.until_state(run_id)
    assert (run["state"], run["exit_code"]) == ("failed", 3)
    assert server.until_state(server.run("work"))["state"] == "failed"
    server.post("/v1/tasks/beat/pause")
    slots = server.get("/v1/tasks/beat/slots")["items"]
    check_promise(server, {"beat": len(slots)})
    Witness(server.folder).check()
    assert server.stop() == 0
    check_journal(server)


def test_a_server_that_dies_without_space_starts_again_with_it(make_server: MakeServer) -> None:
    server = make_server(f"[tasks.work]\ngraceful_stop = '0.3s'\nrun = {toml_script('echo up; exec sleep 60')}")
    server.start()
    run_id = server.run("work")
    server.until(lambda: Witness(server.folder).began(run_id))
    set_space(server, 512)
    server.until(lambda: _refused(server))
    server.kill()
    server.start()
    assert server.until_state(run_id)["state"] == "crashed"
    check_promise(server)


def _refused(server: ServerProcess) -> dict[str, object] | None:
    reply = server.http.post("/v1/events", json={"topic": "anything", "payload": {"text": "x" * 4000}})
    told: dict[str, object] = reply.json()
    return told if reply.is_error else None


def _unready(server: ServerProcess) -> dict[str, dict[str, str]] | None:
    reply = server.http.get("/readyz")
    told: dict[str, dict[str, str]] = reply.json()
    return told if reply.status_code == 503 else None

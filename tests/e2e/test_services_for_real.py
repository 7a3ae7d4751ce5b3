"""Services as real processes: kept alive, given up, stopped."""

import os
import signal

import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.witness import Witness, toml_script

pytestmark = pytest.mark.e2e

FOREVER = "while :; do sleep 0.1; done"


def test_a_killed_service_comes_back(make_server: MakeServer) -> None:
    server = make_server(f"""
        [services.web]
        instances = 2
        restart_delay = "0s"
        graceful_stop = "0.5s"
        run = {toml_script(FOREVER)}
    """)
    server.start()
    witness = Witness(server.folder)
    victim = server.until(lambda: witness.began()[1:] and witness.began())[0]
    os.kill(victim.pid, signal.SIGKILL)
    heir = server.until(lambda: witness.began()[2:])[0]
    ended = server.until_state(victim.run_id)
    assert (ended["state"], ended["exit_code"]) == ("failed", 137)
    assert server.get(f"/v1/runs/{heir.run_id}")["instance"] == ended["instance"]
    assert len(server.live_runs("web")) == 2
    witness.check()


def test_a_service_that_fails_at_once_again_and_again_is_given_up(make_server: MakeServer) -> None:
    server = make_server("""
        [services.broken]
        restart_delay = "0s"
        start_retries = 2
        run = "exit 4"
    """)
    server.start()
    server.until(lambda: any(run["reason"] == "start_failed" for run in server.runs(task="broken")))
    assert [run["state"] for run in server.runs(task="broken")] == ["failed"] * 3
    assert server.post("/v1/tasks/broken/resume")["status"] == "active"
    server.until(lambda: len(server.runs(task="broken", state="failed")) == 6)


def test_a_paused_service_stays_down_until_it_is_resumed(make_server: MakeServer) -> None:
    server = make_server(f"""
        [services.web]
        restart_delay = "0s"
        graceful_stop = "0.5s"
        run = {toml_script(FOREVER)}
    """)
    server.start()
    first = server.until(Witness(server.folder).began)[0]
    server.post("/v1/tasks/web/pause")
    assert server.until_state(first.run_id)["state"] == "stopped"
    assert server.live_runs("web") == []
    assert server.work_pids() == {}
    server.post("/v1/tasks/web/resume")
    server.until(lambda: len(Witness(server.folder).began()) == 2)


def test_a_killed_process_of_a_task_is_the_failure_of_its_run(make_server: MakeServer) -> None:
    server = make_server("[tasks.shot]\nrun = 'echo $$; exec sleep 30'")
    server.start()
    run_id = server.run("shot")
    pid = int(server.until(lambda: server.log_texts(run_id))[0])
    os.kill(pid, signal.SIGKILL)
    run = server.until_state(run_id)
    assert (run["state"], run["exit_code"]) == ("failed", 137)

"""Modules on a real server: it is killed while they run, and their processes are."""

import os
import signal

import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.server_process import ServerProcess, until

from rota.process.table import find_process

pytestmark = pytest.mark.e2e

OWN = """
import os, re, time
import rota

@rota.module
def holds(ctx, deaf: bool = False):
    ctx.state["runs"] = ctx.state.get("runs", 0) + 1
    ctx.save()
    with open(os.environ["WITNESS"] + "/pid", "w") as file:
        file.write(str(os.getpid()))
    ctx.info("holding", 30)
    while not os.path.exists(os.environ["WITNESS"] + "/go"):
        time.sleep(0.05) if deaf else ctx.sleep(0.05)
    return ctx.state["runs"]

@rota.module
def grips():
    with open(os.environ["WITNESS"] + "/pid", "w") as file:
        file.write(str(os.getpid()))
    re.match("(a+)+b", "a" * 60)  # takes years, in which no other thread has its turn
"""
SETTINGS = """
[modules]
paths = ["./own.py", "./broken.py"]
[tasks.holds]
executor = {{ kind = "module", module = "holds", params = {{ deaf = {deaf} }} }}
[tasks.grips]
executor = {{ kind = "module", module = "grips" }}
"""


@pytest.mark.parametrize("deaf", ["false", "true"])
def test_a_killed_server_leaves_no_worker_and_its_run_is_told_as_crashed(make_server: MakeServer, deaf: str) -> None:
    server = begin(make_server, deaf)
    run_id, pid = start(server)
    server.kill_with_worker()
    server.start()
    assert server.until_state(run_id)["state"] == "crashed"
    assert not is_alive(pid)
    (server.folder / "go").touch()
    again, _ = start(server)
    run = server.until_state(again)
    assert (run["state"], run["output"]) == ("succeeded", 2)


def test_a_worker_that_cannot_look_goes_with_its_server_too(make_server: MakeServer) -> None:
    server = begin(make_server, "false")
    _, pid = start(server, "grips")
    server.kill_with_worker()
    until(lambda: not is_alive(pid))


def test_a_killed_worker_fails_its_run_and_nothing_else(make_server: MakeServer) -> None:
    server = begin(make_server, "false")
    run_id, pid = start(server)
    os.kill(pid, signal.SIGKILL)
    run = server.until_state(run_id)
    assert (run["state"], run["error"], run["exit_code"]) == ("failed", "its process was ended by SIGKILL", 137)
    (server.folder / "go").touch()
    again, _ = start(server)
    assert server.until_state(again)["state"] == "succeeded"


def test_a_module_stops_when_its_run_is_cancelled_and_when_its_server_stops(make_server: MakeServer) -> None:
    server = begin(make_server, "false")
    run_id, _ = start(server)
    server.post(f"/v1/runs/{run_id}/cancel")
    assert server.until_state(run_id)["state"] == "canceled"
    run_id, pid = start(server)
    assert server.stop() == 0
    assert not is_alive(pid)
    server.start()
    assert server.until_state(run_id)["state"] == "stopped"


def begin(make_server: MakeServer, deaf: str) -> ServerProcess:
    server = make_server(SETTINGS.format(deaf=deaf))
    (server.folder / "own.py").write_text(OWN)
    (server.folder / "broken.py").write_text("x = 1 / 0\n")
    server.start()
    assert "broken.py:1" in server.own_log()
    return server


def start(server: ServerProcess, task: str = "holds") -> tuple[str, int]:
    """A run that has begun, and the process that works on it."""
    pid_file = server.folder / "pid"
    pid_file.unlink(missing_ok=True)
    run_id = server.run(task)
    return run_id, int(until(lambda: pid_file.read_text() if pid_file.exists() else None))


def is_alive(pid: int) -> bool:
    entry = find_process(pid)
    return entry is not None and not entry.is_dead

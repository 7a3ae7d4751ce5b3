"""RunWisp's API on a listener of its own, through a login and a kill -9 (RunWisp §13, §17; checklist lines 6 and 13)."""

import hashlib
from typing import Any

import httpx
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.free_port import free_port
from tests.e2e.server_process import PATIENCE_S, ServerProcess

from rota.core.ulid import to_ulid

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse"
SETTINGS = """
[[listen]]
address = "127.0.0.1:{port}"
surface = "runwisp"
[tasks.job]
run = 'echo "begun $RUNWISP_RUN_ID"; sleep 60'
graceful_stop = "0s"
[services.web]
run = "exec sleep 60"
graceful_stop = "0s"
"""


def log_in(client: httpx.Client, password: str = PASSWORD) -> httpx.Response:
    nonce = client.get("/api/auth/challenge").json()["nonce"]
    answer = hashlib.pbkdf2_hmac("sha256", password.encode(), nonce.encode(), 600_000, 32).hex()
    reply = client.post("/api/auth", json={"nonce": nonce, "response": answer})
    again = client.post("/api/auth", json={"nonce": nonce, "response": answer})
    assert again.status_code == 401  # a nonce is good for one answer
    return reply


def states(client: httpx.Client, task: str) -> list[str]:
    """Oldest first."""
    runs = client.get(f"/api/tasks/{task}/runs").json()["runs"]
    return [run.get("end_reason") or run["status"] for run in runs[::-1]]


def texts(client: httpx.Client, run: dict[str, Any]) -> list[str]:
    page = client.get(f"/api/tasks/job/runs/{run['id']}/log").json()
    return [line["text"] for line in page["lines"] if line["stream"] == "stdout"]


def test_line_6_a_session_and_the_queue_outlive_kill_9_and_what_ran_has_crashed(make_server: MakeServer) -> None:
    port = free_port()
    server = make_server(SETTINGS.format(port=port), environ={"RUNWISP_PASSWORD": PASSWORD})
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        assert client.get("/api/tasks").status_code == 401
        assert log_in(client, "wrong").status_code == 401
        client.headers["Authorization"] = f"Bearer {log_in(client).json()['token']}"
        client.cookies.clear()
        first, second, _third = (client.post("/api/tasks/job/run").json() for _ in range(3))
        assert client.post("/api/tasks/web/stop").json() == {"message": "service web stopped"}
        server.until(lambda: texts(client, first) and states(client, "web") == ["stopped"])
        server.kill()
        server.start()
        server.until(lambda: states(client, "job") == ["crashed", "running", "pending"])
        crashed = client.get(f"/api/runs/{first['id']}").json()
        assert (crashed["exit_code"], texts(client, crashed)) == (-2, [f"begun {first['id']}"])
        server.until(lambda: texts(client, second) == [f"begun {second['id']}"])
        assert only_run_of(server) == client.get(f"/api/runs/{second['id']}").json()["id"]
        assert states(client, "web") == ["stopped"]


def only_run_of(server: ServerProcess) -> str:
    """The one run that has processes, as RunWisp's clients know it."""
    [run_id] = set(server.work_pids().values())
    return to_ulid(run_id)

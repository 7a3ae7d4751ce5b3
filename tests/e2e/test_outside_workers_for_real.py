"""A worker from outside has a run while the server is killed: it goes on, or is found to be gone."""

import json
from typing import Any

import httpx
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.free_port import free_port
from tests.e2e.test_artifacts_for_real import answer, log_in

pytestmark = pytest.mark.e2e

SETTINGS = """
[[listen]]
address = "127.0.0.1:{port}"
surface = "posthog"

[[posthog.project]]
id = 1
lease = "{lease}"
"""


def taken_run(client: httpx.Client) -> str:
    task_id = answer(client.post("/tasks", json={"title": "t"}), 201)["id"]
    run = answer(client.post(f"/tasks/{task_id}/run"))["latest_run"]
    path = f"/tasks/{task_id}/runs/{run['id']}"
    assert answer(client.patch(path, json={"status": "in_progress"}))["status"] == "in_progress"
    return path


def test_a_worker_goes_on_after_the_server_was_killed(make_server: MakeServer) -> None:
    port = free_port()
    server = make_server(SETTINGS.format(port=port, lease="5m"))
    server.start()
    with log_in(server, port) as client:
        path = taken_run(client)
        for number in range(3):
            entry = {"type": "notification", "n": number}
            answer(client.post(f"{path}/append_log", json={"entries": [entry]}))
            server.kill()
            server.start()
        assert answer(client.get(path))["status"] == "in_progress"
        lines = [json.loads(line) for line in client.get(f"{path}/logs").text.splitlines()]
        assert [line["n"] for line in lines] == [0, 1, 2]
        done: dict[str, Any] = answer(client.patch(path, json={"status": "completed", "output": {"n": 3}}))
        server.kill()
        server.start()
        again = answer(client.get(path))
        assert (again["status"], again["output"], again["completed_at"]) == ("completed", {"n": 3}, done["completed_at"])
        stream = client.get(f"{path}/stream", headers={"Last-Event-ID": "2"}).text
        assert '"n":1' not in stream
        assert '"n":2' in stream
        assert "event: stream-end" in stream


def test_a_worker_that_died_with_the_server_loses_its_run(make_server: MakeServer) -> None:
    port = free_port()
    server = make_server(SETTINGS.format(port=port, lease="1s"))
    server.start()
    with log_in(server, port) as client:
        path = taken_run(client)
        server.kill()
        server.start()
        client.get(f"{path}/stream")
        lost = answer(client.get(path))
        assert (lost["status"], lost["error_message"]) == ("failed", "its worker was not heard from for 1 s")

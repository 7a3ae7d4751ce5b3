"""fylr's tasks on a real server that is killed while they run."""

from typing import Any

import httpx
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.server_process import ServerProcess

pytestmark = pytest.mark.e2e

PAST = "2020-01-01T00:00:00Z"


class Ana:
    """A user of that server, in all its lives."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        assert (
            server.cli("user", "add", "ana", "--right", "system.task", "--password-stdin", stdin="correct horse\n").returncode
            == 0
        )
        login = {"grant_type": "password", "client_id": "web-client", "username": "ana", "password": "correct horse"}
        self.token = httpx.post(f"{server.url}/fylr/api/oauth2/token", data=login).json()["access_token"]

    def ask(self, method: str, path: str = "", body: dict[str, Any] | None = None) -> Any:
        reply = httpx.request(
            method,
            f"{self.server.url}/fylr/api/v1/task{path}",
            json=body,
            headers={"X-Fylr-Authorization": f"Bearer {self.token}"},
        )
        assert reply.status_code == 200, reply.text
        return reply.json()

    def task(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/{number}")["task"]
        return found

    def until(self, number: int, status: str) -> dict[str, Any]:
        return self.server.until(lambda: found if (found := self.task(number))["status"] == status else None)


def test_a_task_whose_server_is_killed_is_interrupted_and_goes_on_by_its_schedule(
    make_server: MakeServer, database_url: str | None
) -> None:
    server = make_server("", database=database_url)
    server.start()
    ana = Ana(server)
    fields = {"task_module": "sleep", "task_params": {"runtime": 60}, "next_run_at": PAST}
    planned = ana.ask("POST", body={"task": {**fields, "schedules": [{"minutes": [0]}]}})["task"]
    plain = ana.ask("POST", body={"task": fields})["task"]
    begun = [ana.until(each["_id"], "running") for each in (planned, plain)]
    server.kill_with_worker()
    server.start()
    for before in begun:
        task = ana.task(before["_id"])
        assert (task["status"], task["status_msg"]) == ("error", "interrupted")
        assert task["run_started_at"] == before["run_started_at"] <= task["run_finished_at"]
        assert (task["_version"], task["run_canceled_at"]) == (1, None)
    assert ana.task(planned["_id"])["next_run_at"].endswith(":00:00Z")
    assert ana.task(plain["_id"])["next_run_at"] is None
    assert server.work_pids() == {}
    again = {"_version": 2, "task_params": {"runtime": 0}, "next_run_at": PAST}
    ana.ask("PATCH", f"/{plain['_id']}", {"task": again})
    assert ana.until(plain["_id"], "done")["run_started_at"] >= task["run_finished_at"]


def test_a_cancel_is_not_forgotten_when_the_server_is_killed_behind_it(make_server: MakeServer) -> None:
    server = make_server("")
    server.start()
    ana = Ana(server)
    fields = {"task_module": "sleep", "task_params": {"runtime": 60}, "next_run_at": PAST}
    task = ana.ask("POST", body={"task": fields})["task"]
    ana.until(task["_id"], "running")
    ana.ask("POST", f"/{task['_id']}/cancel")
    server.kill()
    server.start()
    found = ana.until(task["_id"], "canceled")
    assert (found["_version"], bool(found["run_canceled_at"]), bool(found["run_finished_at"])) == (2, True, True)

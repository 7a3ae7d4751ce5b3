"""Ordinaut's API on a listener of its own, through a kill -9 and downtime (contract §6.5, §15 line 8)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.free_port import free_port
from tests.e2e.server_process import PATIENCE_S, ServerProcess

pytestmark = pytest.mark.e2e

SETTINGS = """
[[listen]]
address = "127.0.0.1:{port}"
surface = "ordinaut"
[tools]
shell = true
"""
WAIT = 'echo call >> "$WITNESS/calls"; while ! test -e "$WITNESS/go"; do sleep 0.05; done'
STEPS = [
    {"id": "first", "uses": "debug.echo", "with": {"at": "${now}"}, "save_as": "first"},
    {"id": "wait", "uses": "shell.run", "with": {"script": WAIT}, "timeout_seconds": 60},
    {"id": "last", "uses": "debug.echo", "with": {"first": "${steps.first.at}"}, "save_as": "last"},
]
PLAIN = {"title": "t", "description": "d"}


def log_in(server: ServerProcess, port: int) -> httpx.Client:
    told = json.loads(server.cli("agent", "add", "ana", "--scope", "admin").stdout)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S)
    token = client.post("/agents/auth/token", json=told).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def add(client: httpx.Client, **fields: Any) -> str:
    reply = client.post("/tasks", json={**PLAIN, **fields})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def test_kill_9_loses_nothing_and_what_was_due_meanwhile_still_runs(make_server: MakeServer) -> None:
    port = free_port()
    server = make_server(SETTINGS.format(port=port))
    server.start()
    assert f"ordinaut http://127.0.0.1:{port}/" in server.own_log()
    client = log_in(server, port)
    long = add(client, schedule_kind="condition", schedule_expr="by hand", payload={"pipeline": STEPS})
    due_at = datetime.now(UTC) + timedelta(seconds=2)
    once = add(client, schedule_kind="once", schedule_expr=due_at.isoformat(), payload={"pipeline": STEPS[:1]})
    run_id = client.post(f"/tasks/{long}/run_now").json()["details"]["run_id"]
    server.until(lambda: (server.folder / "calls").exists())
    server.kill_with_worker()
    server.until(lambda: datetime.now(UTC) > due_at)
    (server.folder / "go").touch()
    server.start()

    def ended() -> list[dict[str, Any]] | None:
        found = client.get("/runs", params={"success": "true"}).json()["items"]
        return found if len(found) == 2 else None

    runs = {run["task_id"]: run for run in server.until(ended)}
    assert (runs[long]["id"], runs[long]["attempt"]) == (run_id, 1)
    steps = runs[long]["output"]["steps"]
    assert steps["last"] == {"first": steps["first"]["at"]}
    assert datetime.fromisoformat(runs[once]["scheduled_for"]) == due_at
    assert (server.folder / "calls").read_text() == "call\ncall\n"
    client.close()

"""Agents, the audit log, and what is told about the server (contract §2, §10)."""

import pytest
from tests.surfaces.ordinaut.agents_asking import People, asked, log_in

from rota.ops import agents
from rota.ops.context import Rota


def test_agents_are_made_found_changed_and_removed(rota: Rota) -> None:
    async def talk(who: People) -> None:
        body = {"name": "Planner", "scopes": ["tasks:read"], "webhook_url": "https://x.example/y"}
        made = await who.admin.post("/agents", body, 201)
        assert set(made) == {"id", "name", "scopes", "webhook_url", "created_at"}
        path = f"/agents/{made['id']}"
        assert await who.admin.get(path) == made
        assert (await who.admin.get("/agents"))[0] == made
        assert await who.admin.get("/agents", name_filter="PLAN") == [made]
        assert made in await who.admin.get("/agents", scope_filter="tasks:read")
        assert await who.admin.get("/agents", scope_filter="nothing") == []
        assert len(await who.admin.get("/agents", limit=2)) == 2
        changed = await who.admin.put(path, {"name": "Maker", "webhook_url": None})
        assert (changed["name"], changed["webhook_url"], changed["scopes"]) == ("Maker", None, ["tasks:read"])
        refused = [await who.admin.put(path, {"name": "owner"}, 400)]
        refused.append(await who.admin.post("/agents", {"name": "owner", "scopes": []}, 400))
        assert {each["message"] for each in refused} == {"Agent with name 'owner' already exists"}
        gone = await who.admin.client.delete(path)
        assert gone.json()["details"] == {"agent_id": made["id"], "agent_name": "Maker"}
        for reply in (await who.admin.client.get(path), await who.admin.client.delete(path)):
            assert (reply.status_code, reply.json()["message"]) == (404, f"Agent {made['id']} not found")
        assert (await who.admin.post("/agents", {"name": "Maker", "scopes": []}, 201))["id"] != made["id"]

    asked(rota, talk)


def test_a_removed_agent_takes_its_tasks_and_tokens_with_it(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.other.task()
        await who.other.post(f"/tasks/{task['id']}/run_now")
        assert (await who.admin.client.delete(f"/agents/{who.other.id}")).status_code == 200
        assert (await who.other.client.get("/tasks")).status_code == 401
        assert ((await who.admin.get("/tasks"))["total"], (await who.admin.get("/runs"))["total"]) == (0, 0)
        reply = await who.nobody.post("/agents/auth/token", json={"agent_id": who.other.id, "agent_secret": who.other.secret})
        assert reply.status_code == 401

    asked(rota, talk)


def test_neither_the_system_agent_nor_oneself_can_be_removed(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.admin.post("/agents", {"name": "second", "scopes": ["admin"]}, 201)
        secret = (await who.admin.post(f"/agents/{made['id']}/credentials"))["agent_secret"]
        token = (await log_in(who.nobody, made["id"], secret))["access_token"]
        who.nobody.headers["Authorization"] = f"Bearer {token}"
        for agent_id in (agents.SYSTEM_ID, made["id"]):
            reply = await who.nobody.delete(f"/agents/{agent_id}")
            assert (reply.status_code, reply.json()["error"]) == (400, "BadRequest")

    asked(rota, talk)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": []}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101, "scopes": []}, "name"),
        ({"name": "n"}, "scopes"),
        ({"name": "n", "scopes": "all"}, "scopes"),
        ({"name": "n", "scopes": [], "webhook_url": "ftp://x"}, "webhook_url"),
        ({"name": "n", "scopes": [], "webhook_url": "http://[x"}, "webhook_url"),
        ({"name": "n", "scopes": [], "webhook_url": "http://a:99999/"}, "webhook_url"),
        ({"name": "n", "scopes": [], "webhook_url": "http://u:p@x.example/"}, "webhook_url"),
    ],
)
def test_what_is_wrong_with_an_agent_is_named(rota: Rota, body: dict[str, object], field: str) -> None:
    async def talk(who: People) -> None:
        assert (await who.admin.post("/agents", body, 422))["detail"][0]["loc"] == ["body", field]
        if "webhook_url" in body:
            change = {"webhook_url": body["webhook_url"]}
            assert (await who.admin.client.put(f"/agents/{who.owner.id}", json=change)).status_code == 422

    asked(rota, talk)


def test_every_change_leaves_its_line_in_the_audit_log(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task()
        path = f"/tasks/{task['id']}"
        await who.owner.put(path, {"title": "Other"})
        await who.owner.post(f"{path}/run_now")
        await who.owner.post(f"{path}/snooze", {"delay_seconds": 9, "reason": "later"})
        for action in ("pause", "resume", "cancel"):
            await who.owner.post(f"{path}/{action}")
        await who.owner.client.delete(path)
        await who.owner.post("/events", {"topic": "t", "payload": {}, "source_agent_id": who.owner.id}, 202)
        pair = await log_in(who.nobody, who.owner.id, who.owner.secret)
        await who.nobody.post("/agents/auth/revoke", json={"refresh_token": pair["refresh_token"]})
        await who.owner.post(f"{path}/pause", status=404)  # what is refused is no change
        told = await who.admin.get("/audit", actor_agent_id=who.owner.id, limit=200)
        assert [entry["action"] for entry in reversed(told["items"])] == [
            "agent.authenticated", "task.created", "task.updated", "task.run_now", "task.snoozed", "task.paused", "task.resumed",
            "task.canceled", "task.deleted", "event.published", "agent.authenticated", "token.revoked",
        ]  # fmt: skip
        assert set(told["items"][0]) == {"id", "actor_agent_id", "action", "subject_id", "details", "at"}
        snoozed = (await who.admin.get("/audit", action="task.snoozed"))["items"][0]
        assert (snoozed["subject_id"], snoozed["details"]) == (task["id"], {"delay_s": 9, "reason": "later"})
        assert (await who.admin.get("/audit", since="2100-01-01T00:00:00Z"))["total"] == 0
        made = await who.admin.post("/agents", {"name": "n", "scopes": []}, 201)
        await who.admin.post(f"/agents/{made['id']}/credentials")
        await who.admin.put(f"/agents/{made['id']}", {"scopes": ["x"]})
        await who.admin.client.delete(f"/agents/{made['id']}")
        lines = (await who.admin.get("/audit", limit=4))["items"]
        assert [line["action"] for line in reversed(lines)] == [
            "agent.created", "agent.credentials_created", "agent.updated", "agent.deleted",
        ]  # fmt: skip

    asked(rota, talk)


@pytest.mark.parametrize("path", ["/", "/health", "/health/ready", "/health/live", "/metrics", "/ext/observability/metrics",
                                  "/docs", "/redoc", "/openapi.json"])  # fmt: skip
def test_what_is_open_needs_no_token_from_anywhere(rota: Rota, path: str) -> None:
    async def talk(who: People) -> None:
        reply = await who.nobody.get(path)
        assert reply.status_code == 200
        assert reply.headers["x-request-id"].startswith("req-")

    asked(rota, talk)


def test_health_says_what_is_wrong(rota: Rota) -> None:
    async def talk(who: People) -> None:
        well = (await who.nobody.get("/health")).json()
        assert (well["status"], well["summary"]["total_checks"], well["summary"]["healthy_checks"]) == ("healthy", 4, 4)
        assert {check["name"] for check in well["checks"]} == {"api", "database", "workers", "scheduler"}
        rota.vitals.lag_s = 61
        late = await who.nobody.get("/health")
        assert (late.status_code, late.json()["status"]) == (200, "degraded")
        rota.vitals.problems["store"] = "the disk is full"
        ill = await who.nobody.get("/health")
        assert (ill.status_code, ill.json()["status"]) == (503, "unhealthy")
        ready = await who.nobody.get("/health/ready")
        assert (ready.status_code, ready.json()["database"]) == (503, False)

    asked(rota, talk)


def test_tools_extensions_and_metrics(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.owner.task()
        assert {"debug.echo", "debug.log", "noop", "echo.test", "http.request", "events.publish"} <= set(
            await who.weak.get("/tools")
        )
        assert await who.weak.get("/extensions") == await who.weak.get("/ext/status")
        assert (await who.nobody.get("/v1")).json()["health_url"] == "/v1/health"
        text = (await who.nobody.get("/metrics")).text
        for name in ("tasks_created_total", "runs_total", "task_duration_seconds", "step_duration_seconds",
                     "due_work_queue_depth",
                     "scheduler_lag_seconds", "active_workers", "worker_heartbeat_total",
                     "http_request_duration_seconds", "security_events_total",
                     "authentication_attempts_total"):  # fmt: skip
            assert f"# TYPE orchestrator_{name}" in text
        assert f'orchestrator_tasks_created_total{{schedule_kind="cron",agent_id="{who.owner.id}"}} 1' in text
        assert 'orchestrator_authentication_attempts_total{result="success"} 4' in text
        paths = (await who.nobody.get("/openapi.json")).json()["paths"]
        assert {"/tasks", "/tasks/{task_id}/run_now", "/runs/{run_id}", "/agents/auth/token"} <= set(paths)

    asked(rota, talk)

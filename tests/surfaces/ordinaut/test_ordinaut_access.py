"""Who may do what: owner, another agent, one with `admin`, one without scopes; no token, a malformed, a revoked one."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.surfaces.ordinaut.agents_asking import ALL, Agent, People, asked, client, log_in, task_body

from rota.core.actor import OPERATOR
from rota.ops import agents
from rota.ops.context import Rota
from rota.surfaces.ordinaut.routes import OWN

ROUTES = [f"{route.method} {route.path}" for route in OWN if not route.is_public]
OWNED = [route for route in ROUTES if "{task_id}" in route or "{run_id}" in route]
ADMINS = [route for route in ROUTES if "/agents" in route or "cleanup" in route or "/audit" in route]
ANYBODYS = ["GET /tools", "GET /extensions"]
SCOPES = {
    "POST /tasks": "tasks:create",
    "GET /tasks": "tasks:read",
    "PUT /tasks/{task_id}": "tasks:update",
    "DELETE /tasks/{task_id}": "tasks:delete",
    "POST /tasks/{task_id}/cancel": "tasks:cancel",
    "POST /tasks/{task_id}/run_now": "tasks:run",
    "GET /runs": "runs:read",
    "POST /events": "events:publish",
    "GET /events/topics": "events:read",
}


def body_of(route: str, who: Agent) -> Any:
    return {
        "POST /tasks": task_body(),
        "PUT /tasks/{task_id}": {"title": "Other"},
        "POST /tasks/{task_id}/snooze": {"delay_seconds": 60},
        "POST /events": {"topic": "t", "payload": {}, "source_agent_id": who.id},
        "POST /agents": {"name": f"new-{uuid4()}", "scopes": []},
        "PUT /agents/{agent_id}": {"scopes": ["tasks:read"]},
    }.get(route)


async def send(who: httpx.AsyncClient, route: str, ids: dict[str, str], body: Any) -> httpx.Response:
    method, path = route.split()
    for name in ("task_id", "run_id", "agent_id"):
        path = path.replace(f"{{{name}}}", ids.get(name, str(uuid4())))
    return await who.request(method, path, json=body) if body is not None else await who.request(method, path)


async def made_by(who: Agent, spare: str) -> dict[str, str]:
    task = await who.task()
    run = await who.post(f"/tasks/{task['id']}/run_now")
    return {"task_id": task["id"], "run_id": run["details"]["run_id"], "agent_id": spare}


def test_without_a_good_token_nothing_is_told(rota: Rota) -> None:
    async def talk(who: People) -> None:
        pair = await log_in(who.nobody, who.other.id, who.other.secret)
        await who.nobody.post("/agents/auth/revoke", json={"refresh_token": pair["access_token"]})
        bad = ["x", "", who.owner.id, pair["access_token"], pair["refresh_token"]]
        for header in (None, "Basic eDp5", *(f"Bearer {token}" for token in bad)):
            who.nobody.headers = httpx.Headers({"Authorization": header} if header else {})
            for route in ROUTES:
                reply = await send(who.nobody, route, {}, body_of(route, who.owner))
                assert (reply.status_code, reply.json()["error"]) == (401, "Unauthorized"), (route, header)
                assert reply.headers["www-authenticate"].startswith("Bearer")
                assert reply.json()["request_id"] == reply.headers["x-request-id"]

    asked(rota, talk)


def test_without_the_scope_everything_is_forbidden(rota: Rota) -> None:
    async def talk(who: People) -> None:
        ids = await made_by(who.owner, who.other.id)
        for route in ROUTES:
            reply = await send(who.weak.client, route, ids, body_of(route, who.weak))
            expected = 200 if route in ANYBODYS else 403
            assert reply.status_code == expected, route

    asked(rota, talk)


@pytest.mark.parametrize("route", ADMINS)
def test_what_is_for_admins_needs_that_scope(rota: Rota, route: str) -> None:
    async def talk(who: People) -> None:
        ids = {"agent_id": who.other.id}
        assert (await send(who.owner.client, route, ids, body_of(route, who.owner))).status_code == 403
        assert (await send(who.admin.client, route, ids, body_of(route, who.admin))).is_success

    asked(rota, talk)


def test_what_belongs_to_others_is_not_found(rota: Rota) -> None:
    async def talk(who: People) -> None:
        ids = await made_by(who.owner, "")
        before = await who.owner.get(f"/tasks/{ids['task_id']}")
        for route in OWNED:
            reply = await send(who.other.client, route, ids, body_of(route, who.other))
            unknown = await send(who.other.client, route, {}, body_of(route, who.other))
            assert reply.status_code == unknown.status_code == 404, route
            assert reply.json()["error"] == "NotFound"
            assert "not found" in reply.json()["message"]
        assert await who.owner.get(f"/tasks/{ids['task_id']}") == before

    asked(rota, talk)


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_the_owner_and_an_admin_may_do_everything(rota: Rota, role: str) -> None:
    async def talk(who: People) -> None:
        asker = getattr(who, role)
        for route in OWNED:
            reply = await send(asker.client, route, await made_by(who.owner, ""), body_of(route, asker))
            assert reply.is_success, reply.text

    asked(rota, talk)


@pytest.mark.parametrize(("route", "scope"), SCOPES.items())
def test_each_operation_is_let_in_by_its_own_scope_alone(rota: Rota, route: str, scope: str) -> None:
    async def talk(who: People) -> None:
        narrow = await agents.add_agent(rota, OPERATOR, "narrow", scopes=[scope])
        wide = await agents.add_agent(rota, OPERATOR, "wide", scopes=[each for each in ALL if each != scope][-1:])
        for agent, allowed in ((narrow, True), (wide, False)):
            token = (await log_in(who.nobody, agent.agent_id, agent.agent_secret))["access_token"]
            async with client(who.app, token) as asker:
                reply = await send(asker, route, {}, body_of(route, Agent(agent.agent_id, "", asker)))
                assert (reply.status_code != 403) == (allowed or route == "GET /events/topics")

    asked(rota, talk)


def test_lists_and_numbers_hold_ones_own_and_for_admins_everything(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for asker in (who.owner, who.owner, who.other):
            await asker.post(f"/tasks/{(await asker.task())['id']}/run_now")
        for asker, count in ((who.owner, 2), (who.other, 1), (who.admin, 3)):
            assert (await asker.get("/tasks"))["total"] == count
            assert (await asker.get("/runs"))["total"] == count
        assert (await who.other.get("/tasks", created_by=who.owner.id))["items"] == []
        assert (await who.admin.get("/tasks", created_by=who.owner.id))["total"] == 2
        others = (await who.owner.get("/tasks"))["items"][0]
        assert (await who.other.get("/runs", task_id=others["id"]))["items"] == []

    asked(rota, talk)


def test_only_an_admin_makes_what_belongs_to_others(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for_other = task_body(created_by=who.other.id)
        assert (await who.owner.post("/tasks", for_other, 403))["error"] == "Forbidden"
        unknown = task_body(created_by=str(uuid4()))
        assert (await who.owner.post("/tasks", unknown, 403))["error"] == "Forbidden"
        refused = await who.admin.post("/tasks", unknown, 400)
        assert refused["message"] == f"Agent {unknown['created_by']} not found"
        task = await who.admin.post("/tasks", for_other, 201)
        assert (await who.other.get(f"/tasks/{task['id']}"))["created_by"] == who.other.id
        await who.other.put(f"/tasks/{task['id']}", {"created_by": who.owner.id}, 403)
        await who.admin.put(f"/tasks/{task['id']}", {"created_by": str(uuid4())}, 400)
        await who.admin.put(f"/tasks/{task['id']}", {"created_by": who.owner.id})
        assert (await who.owner.get(f"/tasks/{task['id']}"))["created_by"] == who.owner.id
        assert (await who.other.client.get(f"/tasks/{task['id']}")).status_code == 404

    asked(rota, talk)


def test_a_step_that_publishes_needs_the_scope_for_it(rota: Rota) -> None:
    async def talk(who: People) -> None:
        publishing = task_body(payload={"pipeline": [{"uses": "events.publish", "with": {"topic": "t"}}]})
        narrow = await agents.add_agent(rota, OPERATOR, "planner", scopes=["tasks:create"])
        pair = await log_in(who.nobody, narrow.agent_id, narrow.agent_secret)
        who.nobody.headers = httpx.Headers({"Authorization": f"Bearer {pair['access_token']}"})
        reply = await who.nobody.post("/tasks", json=publishing)
        assert (reply.status_code, reply.json()["detail"][0]["loc"]) == (422, ["body", "payload", "pipeline", 0, "uses"])
        assert "events:publish" in reply.json()["message"]
        await who.owner.post("/tasks", publishing, 201)

    asked(rota, talk)

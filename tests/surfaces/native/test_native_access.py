"""Three actors on every route: the owner, a stranger, and root; keys with scopes; and nobody."""

import asyncio
from typing import Any

import httpx
import pytest
from tests.asking import SHELL, People, asked, new_run, new_task
from tests.factories import make_notification, make_task

from rota.core.actor import OPERATOR
from rota.ops import artifacts, keys, users
from rota.ops.artifacts import Given
from rota.ops.context import Rota
from rota.store import leases, notifications, tasks
from rota.surfaces import native

# Bodies of the routes that need one.
BODIES: dict[str, Any] = {
    "POST /v1/tasks": {"name": "other", "executor": SHELL},
    "PATCH /v1/tasks/{id}": {"title": "mine"},
    "POST /v1/tasks/{id}/snooze": {"delay_s": 60},
    "POST /v1/events": {"topic": "t"},
    "POST /v1/runs/{id}/renew": {"fence": 1},
    "POST /v1/runs/{id}/finish": {"fence": 1, "state": "succeeded"},
}
FILE = Given(name="a.txt", type="output", data=b"x")
ROUTES = [f"{route.method} {route.path}" for route in native.ROUTES]
OPERATORS = ("/v1/deliveries", "/v1/keys")
OWNED = [route for route in ROUTES if "{id}" in route and not any(of in route for of in OPERATORS)]
OPEN = ["GET /livez", "GET /readyz", "GET /metrics"]


async def leave_outside(rota: Rota, who: httpx.AsyncClient, route: str, run_id: str) -> None:
    """Bring a run to where a route for workers from outside finds it."""
    if route.endswith(("/take", "/renew", "/finish")):
        await rota.database.write(lambda c: leases.offer(c, run_id))
    if route.endswith(("/renew", "/finish")):
        await send(who, "POST /v1/runs/{id}/take", {"runs": run_id})


def add_notification(rota: Rota, task: dict[str, Any]) -> str:
    line = make_notification(task_id=task["id"], owner_id=task["owner_id"])
    rota.database.run(lambda c: notifications.insert_notification(c, line))
    return line.id


async def send(who: httpx.AsyncClient, route: str, ids: dict[str, str] | None = None) -> httpx.Response:
    method, path = route.split()
    kind = path.split("/")[2]
    path = path.replace("{id}", (ids or {}).get(kind, "x")).replace("{artifact_id}", (ids or {}).get("artifact", "x"))
    return await who.request(method, path, json=BODIES.get(route))


@pytest.mark.parametrize("route", [route for route in ROUTES if route not in OPEN])
def test_without_a_known_key_nothing_is_told(rota: Rota, route: str) -> None:
    async def talk(who: People) -> None:
        for headers in (
            {},
            {"Authorization": "Bearer rota_wrong"},
            {"Authorization": "Basic eDp5"},
            {"Authorization": "Bearer "},
        ):
            who.nobody.headers = httpx.Headers(headers)
            reply = await send(who.nobody, route)
            assert (reply.status_code, reply.json()["code"]) == (401, "unauthorized")
            assert reply.headers["www-authenticate"].startswith("Bearer")
            assert "wrong" not in reply.text

    asked(rota, talk)


@pytest.mark.parametrize("route", OWNED)
def test_what_belongs_to_others_does_not_exist(rota: Rota, route: str) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner, schedule={"kind": "cron", "expr": "0 3 * * *"})
        run = await new_run(who.owner, task)
        before = (await who.owner.get(f"/v1/tasks/{task['id']}")).json(), (await who.owner.get(f"/v1/runs/{run['id']}")).json()
        ids = {"tasks": task["id"], "runs": run["id"], "notifications": add_notification(rota, task)}
        reply = await send(who.stranger, route, ids)
        unknown = await send(who.stranger, route)
        assert reply.status_code == unknown.status_code == 404
        assert reply.json()["code"] == "not_found"
        after = (await who.owner.get(f"/v1/tasks/{task['id']}")).json(), (await who.owner.get(f"/v1/runs/{run['id']}")).json()
        assert after == before

    asked(rota, talk)


@pytest.mark.parametrize("route", [route for route in OWNED if not route.endswith("/stream")])
@pytest.mark.parametrize("role", ["owner", "root", "operator"])
def test_the_owner_and_root_may_do_everything(rota: Rota, route: str, role: str) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner, schedule={"kind": "cron", "expr": "0 3 * * *"})
        run = await new_run(who.owner, task)
        file = await artifacts.add_artifacts(rota, artifacts.run_of(OPERATOR, run["id"]), [FILE])
        ids = {"tasks": task["id"], "runs": run["id"], "notifications": add_notification(rota, task), "artifact": file[0].id}
        await leave_outside(rota, who.owner, route, run["id"])
        reply = await send(getattr(who, role), route, ids)
        assert reply.is_success, reply.text

    asked(rota, talk)


def test_lists_hold_ones_own_and_for_root_everything(rota: Rota) -> None:
    rota.database.run(lambda c: tasks.insert_task(c, make_task(name="filed", source="file")))

    async def talk(who: People) -> None:
        await new_run(who.owner, await new_task(who.owner, name="mine"))
        await new_run(who.stranger, await new_task(who.stranger, name="theirs"))

        async def names(client: httpx.AsyncClient) -> list[str]:
            return sorted(task["name"] for task in (await client.get("/v1/tasks")).json()["items"])

        assert (await names(who.owner), await names(who.stranger), await names(who.plain)) == (["mine"], ["theirs"], [])
        assert await names(who.root) == await names(who.operator) == ["filed", "mine", "theirs"]
        assert [
            len((await who.owner.get("/v1/runs")).json()["items"]),
            len((await who.root.get("/v1/runs")).json()["items"]),
        ] == [1, 2]

    asked(rota, talk)


def test_a_name_means_ones_own_task_and_for_root_the_installations(rota: Rota) -> None:
    rota.database.run(lambda c: tasks.insert_task(c, make_task(name="backup", source="file")))

    async def talk(who: People) -> None:
        own = await new_task(who.owner)
        assert (await who.owner.get("/v1/tasks/backup")).json()["id"] == own["id"]
        assert (await who.root.get("/v1/tasks/backup")).json()["source"] == "file"
        assert (await who.operator.get("/v1/tasks/backup")).json()["source"] == "file"
        assert (await who.stranger.get("/v1/tasks/backup")).status_code == 404

    asked(rota, talk)


def test_what_the_operator_creates_is_the_installations(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.operator)
        assert (task["owner_id"], task["source"]) == (None, "api")
        assert (await who.owner.get(f"/v1/tasks/{task['id']}")).status_code == 404

    asked(rota, talk)


def test_a_reload_needs_root(rota: Rota) -> None:
    async def reload() -> dict[str, Any]:
        return {"added": ["a"], "changed": [], "removed": []}

    rota.reload = reload

    async def talk(who: People) -> None:
        refused = await who.owner.post("/v1/reload")
        assert (refused.status_code, refused.json()["detail"]) == (403, "this needs the right system.root")
        assert (await who.root.post("/v1/reload")).json()["added"] == ["a"]

    asked(rota, talk)


def test_a_key_that_was_taken_back_stops_working(rota: Rota) -> None:
    async def talk(who: People) -> None:
        key = await keys.add_key(rota, OPERATOR, "olga", "native")
        headers = {"Authorization": f"Bearer {key.secret}"}
        assert (await who.nobody.get("/v1/tasks", headers=headers)).status_code == 200
        await keys.revoke_key(rota, OPERATOR, key.id)
        assert (await who.nobody.get("/v1/tasks", headers=headers)).status_code == 401

    asked(rota, talk)


def test_root_takes_keys_back_once_and_nobody_else_does(rota: Rota) -> None:
    async def talk(who: People) -> None:
        key = await keys.add_key(rota, OPERATOR, "olga", "native")
        refused = await who.owner.delete(f"/v1/keys/{key.id}")
        assert (refused.status_code, refused.json()["detail"]) == (403, "this needs the right system.root")
        assert [(await who.root.delete(f"/v1/keys/{key.id}")).status_code for _ in range(2)] == [204, 404]
        headers = {"Authorization": f"Bearer {key.secret}"}
        assert (await who.nobody.get("/v1/tasks", headers=headers)).status_code == 401

    asked(rota, talk)


def test_a_key_for_another_surface_is_no_key_here(rota: Rota) -> None:
    async def talk(who: People) -> None:
        key = await keys.add_key(rota, OPERATOR, "olga", "posthog")
        headers = {"Authorization": f"Bearer {key.secret}"}
        assert (await who.nobody.get("/v1/tasks", headers=headers)).status_code == 401

    asked(rota, talk)


@pytest.mark.parametrize("right", ["task.shell", "system.root"])
def test_a_key_with_scopes_is_good_for_what_they_name_whatever_its_user_may(rota: Rota, right: str) -> None:
    async def ask() -> dict[str, str]:
        await users.add_user(rota, OPERATOR, "paula", rights=[right])
        secret = (await keys.add_key(rota, OPERATOR, "paula", "native", scopes=["tasks:read"])).secret
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(native.app(rota)), base_url="http://r", headers=headers
        ) as who:
            return {route: (await send(who, route)).text for route in ROUTES if route not in OPEN}

    told = asyncio.run(ask())
    limited = {f"{route.method} {route.path}" for route in native.ROUTES if route.scopes and "tasks:read" not in route.scopes}
    assert {route for route, text in told.items() if "this needs the scope" in text} == limited
    assert {"POST /v1/tasks", "DELETE /v1/tasks/{id}", "POST /v1/reload", "GET /v1/runs/{id}/log"} <= limited

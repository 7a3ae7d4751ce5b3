"""Who may ask for what: owner, member, stranger, read-only and project-limited keys, no key (contract §3, §15 line 8)."""

from typing import Any
from uuid import uuid4

import pytest
from tests.surfaces.posthog.projects_asking import Client, People, asked, client, people

from rota.core.actor import OPERATOR
from rota.ops import keys, projects
from rota.ops.context import Rota
from rota.surfaces.posthog import OPS
from rota.surfaces.posthog.operation import Op

OF_TASKS = [op for op in OPS if "{task_id}" in op.path]
IDS = [f"{op.method} {op.path}" for op in OF_TASKS]
DEVICE = {"device_id": "00000000-0000-4000-8000-000000000000"}


def path_of(op: Op, task_id: str) -> str:
    path = op.path.replace("{task_id}", task_id).replace("{user_id}", "@me")
    for name in ("run_id", "artifact_id"):
        path = path.replace(f"{{{name}}}", str(uuid4()))
    return path


def body_of(op: Op) -> Any:
    """One that can be read."""
    if op.body is None:
        return None
    if "presence" in op.path:
        return DEVICE
    if "artifacts" in op.path:
        plan = {"id": uuid4().hex, "name": "n", "type": "plan", "size": 1, "storage_path": "x", "content": "c"}
        return {"artifacts": [plan], "storage_path": "x"}
    return {
        "output": {},
        "entries": [{}],
        "method": "cancel",
        "jsonrpc": "2.0",
        "ids": [str(uuid4())],
        "token": "t",
        "platform": "web",
    }


async def sent(who: Client, op: Op, task_id: str) -> Any:
    reply = await who.ask(op.method, path_of(op, task_id), body_of(op))
    return reply.status_code, reply.json() if reply.content else None


@pytest.mark.parametrize("op", OF_TASKS, ids=IDS)
def test_another_users_task_does_not_exist(rota: Rota, op: Op) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(title="mine")
        before = await who.owner.get(f"/tasks/{task['id']}")
        for asker in (who.member, who.staff):
            status, told = await sent(asker, op, task["id"])
            assert (status, told) == (
                404, {"type": "invalid_request", "code": "not_found", "detail": "Not found.", "attr": None},
            )  # fmt: skip
        for wrong in ("x", str(uuid4())):
            assert (await sent(who.owner, op, wrong))[0] == 404
        assert await who.owner.get(f"/tasks/{task['id']}") == before

    asked(rota, talk)


@pytest.mark.parametrize("op", OPS, ids=[f"{op.method} {op.path}" for op in OPS])
def test_each_operation_asks_for_a_key_and_for_its_scope(rota: Rota, op: Op) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task()
        for slash in ("", "/"):
            reply = await who.nobody.ask(op.method, path_of(op, task["id"]) + slash, body_of(op))
            assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
            assert reply.json() == {
                "type": "authentication_error", "code": "not_authenticated",
                "detail": "Authentication credentials were not provided.", "attr": None,
            }  # fmt: skip
        others = {"task:read": ["user:write"], "task:write": ["task:read", "user:write"], "user:write": ["task:write"]}
        key = await keys.add_key(rota, OPERATOR, "owner", "posthog", scopes=others[op.scope])
        async with client(who.app, key.secret) as http:
            status, told = await sent(Client(http, who.project), op, task["id"])
        assert (status, told) == (
            403,
            {
                "type": "authentication_error", "code": "permission_denied",
                "detail": f"API key missing required scope '{op.scope}'", "attr": None,
            },
        )  # fmt: skip

    asked(rota, talk)


@pytest.mark.parametrize("op", [op for op in OPS if op.is_of_project], ids=lambda op: f"{op.method} {op.path}")
def test_a_key_is_good_for_its_projects_alone_and_a_user_for_those_joined(rota: Rota, op: Op) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task()
        for asker in (who.limited, who.stranger):
            status, told = await sent(asker, op, task["id"])
            assert (status, told["code"], told["detail"]) == (
                403, "permission_denied", f"API key does not have access to the requested project: ID {who.project}.",
            )  # fmt: skip
        for unknown in ("999", "x", "0", "-1", "9" * 30):
            reply = await who.owner.ask(op.method, f"/api/projects/{unknown}{path_of(op, task['id'])}", body_of(op))
            assert (reply.status_code, reply.json()["detail"]) == (404, "Project not found.")

    asked(rota, talk)


def test_a_read_only_key_reads_whoever_shows_it(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task()
        assert (await who.reader.get(f"/tasks/{task['id']}"))["id"] == task["id"]
        assert (await who.reader.post("/tasks", {}, 403))["detail"] == "API key missing required scope 'task:write'"
        await rota.database.write(lambda c: c.run("UPDATE users SET rights = '[\"system.root\"]' WHERE name = 'owner'"))
        key = await keys.add_key(rota, OPERATOR, "owner", "posthog", scopes=["task:read"])
        async with client(who.app, key.secret) as http:
            await Client(http, who.project).post("/tasks", {}, 403)
        for asker in (who.everything, who.plain):
            await asker.task()
        for asker in (who.owner, who.everything):
            await asker.get("/tasks")

    asked(rota, talk)


def test_a_wrong_key_and_a_revoked_one_are_told_apart_from_none(rota: Rota) -> None:
    async def talk(who: People) -> None:
        key = await keys.add_key(rota, OPERATOR, "owner", "posthog")
        native = await keys.add_key(rota, OPERATOR, "owner", "native")
        await keys.revoke_key(rota, OPERATOR, key.id)
        for secret in ("phx_wrong", key.secret, native.secret):
            async with client(who.app, secret) as http:
                reply = await Client(http, who.project).ask("GET", "/tasks")
            assert (reply.status_code, reply.json()["code"]) == (401, "authentication_failed")
            assert reply.json()["detail"] == "Personal API key found in request Authorization header is invalid."

    asked(rota, talk)


def test_the_current_project_is_the_one_joined_first(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.post("/api/projects/@current/tasks", {}, 201)
        assert made["slug"] == "DEF-0"
        assert (await who.stranger.post("/api/projects/@current/tasks/", {}, 201))["slug"] == "OTH-0"
        assert (await who.limited.post("/api/projects/@current/tasks", {}, 403))["code"] == "permission_denied"

    asked(rota, talk)


def test_a_member_who_leaves_sees_nothing(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.member.task()
        await rota.database.write(lambda c: c.run("DELETE FROM memberships WHERE user_id = ?", (who.users["member"].id,)))
        await who.member.get("/tasks", 403)
        await projects.join_project(rota, OPERATOR, who.project, "member")
        assert (await who.member.get("/tasks"))["count"] == 1

    asked(rota, talk)


def test_an_invalid_body_on_an_unknown_task_is_told_before_the_task(rota: Rota) -> None:
    async def talk(who: People) -> None:
        reply = await who.owner.ask("PATCH", f"/tasks/{uuid4()}", {"title": "x" * 300})
        assert (reply.status_code, reply.json()["attr"]) == (400, "title")
        assert (await who.reader.ask("PATCH", f"/tasks/{uuid4()}", {"title": "x" * 300})).status_code == 403

    asked(rota, talk)


def test_what_is_no_json_and_what_is_not_here_are_told_in_the_same_shape(rota: Rota) -> None:
    async def talk(who: People) -> None:
        bad = await who.owner.ask("POST", "/tasks", content=b"{", headers={"content-type": "application/json"})
        assert (bad.status_code, bad.json()["type"], bad.json()["code"]) == (400, "invalid_request", "parse_error")
        assert bad.json()["detail"].startswith("JSON parse error - ")
        form = await who.owner.ask("POST", "/tasks", data={"title": "x"})
        assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
        method = await who.owner.ask("PUT", "/tasks", {})
        assert (method.status_code, method.json()) == (
            405,
            {"type": "invalid_request", "code": "method_not_allowed", "detail": 'Method "PUT" not allowed.', "attr": None},
        )
        assert method.headers["allow"] == "GET, HEAD, POST"
        path = await who.owner.ask("GET", "/nothing")
        assert (path.status_code, path.json()["code"]) == (404, "not_found")
        assert (await who.owner.ask("GET", "/tasks/")).status_code == 200

    asked(rota, talk)


def test_a_key_that_asks_too_often_is_told_when_to_come_back(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for _ in range(480):
            await who.reader.get("/tasks/repositories")
        late = await who.reader.ask("POST", "/tasks/summaries", {"ids": "not read"})
        assert (late.status_code, late.headers["retry-after"]) == (429, "60")
        assert late.json() == {
            "type": "throttled_error", "code": "throttled",
            "detail": "Request was throttled. Expected available in 60 seconds.", "attr": None,
        }  # fmt: skip
        assert (await who.reader.ask("POST", "/tasks", {})).status_code == 403
        await who.owner.get("/tasks")
        rota.clock.advance(60)  # type: ignore[attr-defined]
        await who.reader.get("/tasks")

    asked(rota, talk)


def test_the_hours_limit_counts_too(rota: Rota) -> None:
    from msgspec.structs import replace

    access = replace(rota.settings.posthog, requests_per_minute=1000, requests_per_hour=3)
    rota.settings = replace(rota.settings, posthog=access)

    async def talk(who: People) -> None:
        for _ in range(3):
            await who.owner.get("/tasks")
        assert (await who.owner.ask("GET", "/tasks")).headers["retry-after"] == "3600"

    asked(rota, talk)


def test_slugs_follow_the_name_of_the_project(rota: Rota) -> None:
    import asyncio

    async def talk() -> None:
        async with people(rota, "My Big API") as who:
            assert (await who.owner.task())["slug"] == "MBA-0"

    asyncio.run(talk())

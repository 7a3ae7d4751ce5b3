"""Who may ask, and how refusals look (contract §12.3)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.asking import make_rota, new_actor
from tests.databases import open_kept
from tests.listening import listening
from tests.surfaces.runwisp.serving import Place, asking, described

from rota.core.ulid import to_ulid
from rota.core.work import Shell
from rota.ops import starts
from rota.ops import tasks as task_ops
from rota.ops.context import Rota
from rota.ops.documents import TaskBody
from rota.surfaces import runwisp

TOML = """
[tasks.dump]
run = "true"
params = [{ option = "--db", choices = ["main", "audit"] }]
[tasks.shut]
run = "true"
cron = "0 3 * * *"
api_trigger = false
[services.web]
run = "sleep 9"
"""
UNKNOWN = to_ulid("00000000-0000-7000-8000-000000000000")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/nothing", None, 404),
        ("GET", "/nothing", None, 404),
        ("PUT", "/api/tasks", None, 405),
        ("POST", "/api/tasks/nope/run", None, 404),
        ("POST", "/api/tasks/shut/run", None, 403),
        ("POST", "/api/tasks/web/run", None, 409),
        ("POST", "/api/tasks/dump/run", {"params": {"--db": "prod"}}, 400),
        ("POST", "/api/tasks/dump/run", {"params": {"--bd": "main"}}, 400),
        ("POST", "/api/tasks/dump/run", {"params": 1}, 400),
        ("POST", "/api/tasks/dump/run", "not json", 400),
        ("POST", "/api/tasks/dump/run?wait=true&wait_timeout=3601", None, 422),
        ("POST", "/api/tasks/a%20b/run", None, 422),
        ("POST", "/api/tasks/dump/stop", None, 400),
        ("POST", "/api/tasks/dump/restart", None, 400),
        ("POST", "/api/tasks/nope/restart", None, 404),
        ("GET", "/api/tasks/nope/runs", None, 404),
        ("GET", "/api/runs/short", None, 422),
        ("GET", f"/api/runs/{UNKNOWN}", None, 404),
        ("GET", f"/api/tasks/dump/runs/{UNKNOWN}", None, 404),
        ("POST", f"/api/tasks/dump/runs/{UNKNOWN}/stop", None, 404),
        ("DELETE", f"/api/tasks/dump/runs/{UNKNOWN}", None, 404),
        ("GET", f"/api/tasks/dump/runs/{UNKNOWN}/log", None, 404),
        ("GET", f"/api/tasks/dump/runs/{UNKNOWN}/log/raw", None, 404),
        ("GET", f"/api/tasks/dump/runs/{UNKNOWN}/log/stream", None, 404),
        ("POST", "/api/tasks/dump/start", None, 400),
        ("POST", "/api/tasks/nope/start", None, 404),
        ("POST", "/api/tasks/nope/stop", None, 404),
        ("GET", "/api/runs?limit=0", None, 422),
        ("GET", "/api/runs?limit=1001", None, 422),
        ("GET", "/api/runs?status=bogus", None, 422),
        ("GET", "/api/runs?sort_field=bogus", None, 422),
        ("GET", "/api/runs?sort_direction=up", None, 422),
        ("GET", "/api/runs?triggered_by=bogus", None, 422),
        ("GET", "/api/runs?exit_code_min=x", None, 422),
        ("GET", "/api/runs?created_after=yesterday", None, 422),
        ("POST", "/api/runs/bulk/cancel", {}, 400),
        ("POST", "/api/runs/bulk/delete", {"ids": [], "match_all": True}, 400),
        ("POST", "/api/runs/bulk/restore", {"ids": ["short"]}, 400),
        ("POST", "/api/runs/bulk/rerun", {"match_all": True, "filter": {"status": "bogus"}}, 400),
        ("GET", f"/api/tasks/dump/runs/{UNKNOWN}/log/line/0/history", None, 404),
        ("GET", f"/api/tasks/dump/runs/{UNKNOWN}/log/line/x/history", None, 422),
        ("GET", "/api/tasks/dump/log/search?q=", None, 400),
        ("GET", "/api/tasks/dump/log/search?q=(&regex=true", None, 400),
        ("GET", "/api/tasks/dump/log/search?q=x&limit=1001", None, 422),
        ("GET", "/api/tasks/nope/log/search?q=x", None, 404),
        ("POST", "/api/reload", None, 503),
        ("GET", "/metrics", None, 404),
        ("GET", "/schemas/Nothing.json", None, 404),
    ],
)  # fmt: skip
def test_line_13_every_refusal_is_problem_json_with_its_status(
    rota: Rota, tmp_path: Path, method: str, path: str, body: Any, status: int
) -> None:
    async def ask() -> None:
        async with described(rota, tmp_path, TOML) as place:
            content = body.encode() if isinstance(body, str) else None
            sent: dict[str, Any] = {"content": content} if content else {"json": body} if body is not None else {}
            headers = {"Content-Type": "application/json"} if sent else {}
            reply = await place.client.request(method, path, headers=headers, **sent)
            assert reply.status_code == status, reply.text
            assert reply.headers["content-type"] == "application/problem+json"
            problem = reply.json()
            assert (problem["type"], problem["status"]) == ("about:blank", status)
            assert problem["title"]
            assert (await place.get("/api/runs"))["total"] == 0

    asyncio.run(ask())


def test_an_error_about_a_parameter_says_where_and_what(rota: Rota, tmp_path: Path) -> None:
    async def ask() -> None:
        async with described(rota, tmp_path, TOML) as place:
            reply = await place.client.post("/api/tasks/dump/run", json={"params": {"--db": "prod"}})
            [error] = reply.json()["errors"]
            assert (error["location"], error["value"]) == ("body.params.--db", "prod")
            assert "--db" in reply.json()["detail"]
            refused = await place.client.post("/api/tasks/shut/run")
            assert refused.json()["detail"] == "API triggering disabled for this task"

    asyncio.run(ask())


def test_a_body_over_one_mebibyte_is_refused(rota: Rota, tmp_path: Path) -> None:
    async def ask() -> int:
        async with described(rota, tmp_path, TOML) as place:
            return (await place.client.post("/api/runs/bulk/delete", json={"ids": ["x" * 1024 * 1024]})).status_code

    assert asyncio.run(ask()) == 413


def test_each_sees_the_tasks_that_are_its_own_and_nobody_else_any(tmp_path: Path) -> None:
    async def ask() -> None:
        database = open_kept(tmp_path)
        rota = make_rota(database, tmp_path)
        owner, stranger = await new_actor(rota, "olga", "task.shell"), await new_actor(rota, "stan", "task.shell")
        await task_ops.create_task(rota, owner, TaskBody(name="hers", executor=Shell(script="true")))
        async with described(rota, tmp_path, TOML) as installation:
            assert [task["name"] for task in await installation.get("/api/tasks")] == ["dump", "shut", "web"]
            assert (await installation.client.get("/api/tasks/hers/runs")).status_code == 404
        run_id = await _see(rota, tmp_path, owner, ["hers"], start="hers")
        await _see(rota, tmp_path, stranger, [], hidden=run_id)
        async with described(rota, tmp_path, TOML) as installation:
            assert (await installation.client.get(f"/api/runs/{run_id}")).status_code == 404
        async with asking(runwisp.app(rota)) as nobody:
            replies = [await nobody.get(path) for path in ("/api/tasks", "/api/runs", f"/api/runs/{run_id}", "/api/stream")]
            assert [reply.status_code for reply in replies] == [401] * 4
            assert {reply.headers["content-type"] for reply in replies} == {"application/problem+json"}
            assert (await nobody.get("/health")).text == "OK"
        database.close()

    asyncio.run(ask())


async def _see(rota: Rota, folder: Path, actor: Any, names: list[str], *, start: str = "", hidden: str = "") -> str:
    async with described(rota, folder, TOML, actor) as place:
        assert [task["name"] for task in await place.get("/api/tasks")] == names
        if start:
            started = to_ulid((await starts.start_task(rota, actor, start, {})).run.id)
            assert (await place.get("/api/runs"))["total"] == 1
            return started
        assert (await place.get("/api/runs"))["total"] == 0
        assert (await place.client.get(f"/api/runs/{hidden}")).status_code == 404
        assert await place.post("/api/runs/bulk/cancel", {"ids": [hidden]}) == {"affected": 0}
    return ""


def test_one_address_has_eight_streams_and_the_control_socket_any(rota: Rota, tmp_path: Path) -> None:
    async def ask() -> None:
        async with described(rota, tmp_path, TOML) as place:
            await _open(place, 8)
            async with listening(place.app, "/api/runs/stream") as listener:
                assert listener.status == 200

    async def _open(place: Place, left: int) -> None:
        if not left:
            reply = await place.client.get("/api/stream")
            assert (reply.status_code, reply.headers["content-type"]) == (503, "application/problem+json")
            return
        async with listening(place.app, "/api/stream"):
            await _open(place, left - 1)

    asyncio.run(ask())


def test_the_description_names_every_route_and_its_schemas_are_served(rota: Rota, tmp_path: Path) -> None:
    async def ask() -> None:
        async with described(rota, tmp_path, TOML) as place:
            found = await place.get("/openapi.json")
            assert found["openapi"] == "3.1.0"
            for route in runwisp.ROUTES:
                assert route.method.lower() in found["paths"][route.path]
            for name in ("Task", "Run", "ErrorModel"):
                assert "properties" in await place.get(f"/schemas/{name}.json")
            assert (await place.get("/schemas/RunPage.json"))["properties"]["runs"]["items"] == {"$ref": "Run.json"}

    asyncio.run(ask())

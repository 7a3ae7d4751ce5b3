"""Three actors on every tool: the owner, a stranger, and root; keys with scopes; nobody; and pages of other sites."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jsonschema
import pytest
from msgspec import Struct, structs
from tests.asking import client, new_key
from tests.factories import NOON
from tests.surfaces.mcp.speaking import PIPELINE

from rota.core.actor import OPERATOR
from rota.core.errors import Unauthorized
from rota.core.scopes import SCOPES
from rota.ops import keys
from rota.ops.context import Rota
from rota.surfaces import mcp
from rota.surfaces.mcp.asking import McpTool
from rota.surfaces.mcp.schemas import answers
from rota.surfaces.mcp.tools import BY_NAME, TOOLS


def fields_of(tool: McpTool) -> set[str]:
    return {item.name for item in structs.fields(tool.takes)}


SHELL = {"kind": "shell", "script": "true"}
MORE: dict[str, dict[str, Any]] = {
    "create_task": {"name": "other", "executor": PIPELINE},
    "update_task": {"change": {"title": "mine"}},
    "snooze_task": {"delay_s": 60, "reason": "later"},
    "wait_run": {"wait_s": 0},
    "cancel_run": {"wait_s": 0},
    "publish_event": {"topic": "t", "payload": {"a": 1}},
}
OWNED = [tool.name for tool in TOOLS if {"task", "run_id"} & fields_of(tool) and tool.name != "list_runs"]
MODERN = {"Accept": "application/json, text/event-stream"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


class Askers(Struct):
    owner: httpx.AsyncClient
    stranger: httpx.AsyncClient
    root: httpx.AsyncClient
    plain: httpx.AsyncClient
    reader: httpx.AsyncClient
    nobody: httpx.AsyncClient


@asynccontextmanager
async def askers(rota: Rota) -> AsyncIterator[Askers]:
    app = mcp.app(rota)
    olga, stan, ruth, paul = await asyncio.gather(
        new_key(rota, "olga", "task.shell"), new_key(rota, "stan", "task.shell"), new_key(rota, "ruth", "system.root"),
        new_key(rota, "paul"),
    )  # fmt: skip
    reads = (await keys.add_key(rota, OPERATOR, "olga", "native", scopes=["tasks:read"])).secret
    found = Askers(*(client(app, key) for key in (olga, stan, ruth, paul, reads, None)))
    try:
        yield found
    finally:
        for name in found.__struct_fields__:
            await getattr(found, name).aclose()


def asked(rota: Rota, question: Callable[[Askers], Awaitable[None]]) -> None:
    async def ask() -> None:
        async with askers(rota) as who:
            await question(who)

    asyncio.run(ask())


async def call(who: httpx.AsyncClient, tool: str, **arguments: Any) -> dict[str, Any]:
    reply = await who.post(f"http://localhost/tools/{tool}", json=arguments)
    assert reply.status_code == 200, reply.text
    called: dict[str, Any] = reply.json()
    return called


async def made(who: httpx.AsyncClient) -> dict[str, str]:
    """A task with a run, as the arguments that name them."""
    schedule = {"kind": "cron", "expr": "0 3 * * *"}
    task = await call(who, "create_task", name="backup", executor=SHELL, schedule=schedule)
    run = await call(who, "run_task", task="backup")
    return {"task": task["result"]["id"], "run_id": run["result"]["run"]["id"]}


def arguments_for(tool: str, ids: dict[str, str]) -> dict[str, Any]:
    named = {name: value for name, value in ids.items() if name in fields_of(BY_NAME[tool])}
    return named | MORE.get(tool, {})


@pytest.mark.parametrize("tool", OWNED)
def test_what_belongs_to_others_does_not_exist(rota: Rota, tool: str) -> None:
    async def talk(who: Askers) -> None:
        ids = await made(who.owner)
        before = (await call(who.owner, "get_task", task=ids["task"]), await call(who.owner, "get_run", run_id=ids["run_id"]))
        refused = await call(who.stranger, tool, **arguments_for(tool, ids))
        unknown = await call(who.stranger, tool, **arguments_for(tool, dict.fromkeys(ids, "x")))
        assert refused["error"]["code"] == unknown["error"]["code"] == "not_found"
        after = (await call(who.owner, "get_task", task=ids["task"]), await call(who.owner, "get_run", run_id=ids["run_id"]))
        assert after == before

    asked(rota, talk)


@pytest.mark.parametrize("role", ["owner", "root"])
def test_the_owner_and_root_may_do_everything_and_answers_fit_their_schemas(rota: Rota, role: str) -> None:
    async def talk(who: Askers) -> None:
        ids = await made(who.owner)
        last = ["cancel_task", "delete_task"]
        for tool in sorted(BY_NAME, key=lambda name: last.index(name) if name in last else -1):
            done = await call(getattr(who, role), tool, **arguments_for(tool, ids))
            assert done["ok"], done
            jsonschema.Draft202012Validator(answers(BY_NAME[tool])).validate(done["result"])

    asked(rota, talk)


def test_lists_hold_ones_own_and_for_root_everything(rota: Rota) -> None:
    async def talk(who: Askers) -> None:
        await made(who.owner)
        for tool in ("list_tasks", "list_runs"):
            counts = [len((await call(each, tool))["result"]["items"]) for each in (who.owner, who.stranger, who.root)]
            assert counts == [1, 0, 1]

    asked(rota, talk)


def test_processes_need_the_right_to_run_them(rota: Rota) -> None:
    async def talk(who: Askers) -> None:
        for work in (SHELL, {"kind": "pipeline", "steps": [{"uses": "shell.run", "with": {"script": "true"}}]}):
            refused = await call(who.plain, "create_task", name="x", executor=work)
            assert not refused["ok"]
        assert (await call(who.plain, "create_task", name="x", executor=SHELL))["error"]["code"] == "forbidden"
        assert (await call(who.plain, "create_task", name="x", executor=PIPELINE))["ok"]
        assert (await call(who.plain, "update_task", task="x", change={"executor": SHELL}))["error"]["code"] == "forbidden"

    asked(rota, talk)


def test_a_key_with_scopes_calls_what_they_name(rota: Rota) -> None:
    async def talk(who: Askers) -> None:
        ids = await made(who.owner)
        for tool in TOOLS:
            done = await call(who.reader, tool.name, **arguments_for(tool.name, ids))
            assert done["ok"] == ("tasks:read" in tool.scopes), done
            if not done["ok"]:
                assert (done["error"]["code"], tool.scopes[0] in done["error"]["message"]) == ("forbidden", True)

    asked(rota, talk)


@pytest.mark.parametrize("path", ["/", "/tools", "/tools/create_task"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer rota_wrong"}, {"Authorization": "Basic eDp5"}])
def test_without_a_known_key_nothing_is_told(rota: Rota, path: str, headers: dict[str, str]) -> None:
    async def talk(who: Askers) -> None:
        method = "GET" if path == "/tools" else "POST"
        reply = await who.nobody.request(method, f"http://localhost{path}", json=LIST, headers=headers | MODERN)
        assert (reply.status_code, reply.json()["code"]) == (401, "unauthorized")
        assert reply.headers["www-authenticate"].startswith("Bearer")
        key = (await keys.add_key(rota, OPERATOR, "olga", "posthog")).secret
        reply = await who.nobody.post("http://localhost/", json=LIST, headers=MODERN | {"Authorization": f"Bearer {key}"})
        assert reply.status_code == 401

    asked(rota, talk)


@pytest.mark.parametrize(
    ("url", "origin", "status"),
    [
        ("http://localhost", None, 200),
        ("http://127.0.0.1:7682", "http://localhost:3000", 200),
        ("http://[::1]:7682", "http://[::1]", 200),
        ("http://localhost", "https://rota.example", 200),
        ("http://rota.example", None, 200),
        ("http://evil.example", None, 403),
        ("http://evil.example:7682", "http://evil.example:7682", 403),
        ("http://localhost", "http://evil.example", 403),
        ("http://localhost", "null", 403),
        ("http://localhost", "http://localhost.evil.example", 403),
        ("http://localhost", "https://rota.example.evil.example", 403),
        ("http://localhost", "http://rota.example", 403),
    ],
)
@pytest.mark.parametrize("path", ["/", "/tools/list_tasks"])
def test_pages_of_other_sites_and_names_that_were_made_to_point_here_are_refused(
    rota: Rota, path: str, url: str, origin: str | None, status: int
) -> None:
    set_external_url(rota, "https://rota.example")

    async def talk(who: Askers) -> None:
        headers = MODERN | ({"Origin": origin} if origin else {})
        body = LIST if path == "/" else {}
        assert (await who.owner.post(f"{url}{path}", json=body, headers=headers)).status_code == status

    asked(rota, talk)


def test_there_is_no_session_to_listen_to(rota: Rota) -> None:
    async def talk(who: Askers) -> None:
        for method in ("GET", "DELETE"):
            reply = await who.owner.request(method, "http://localhost/")
            assert (reply.status_code, reply.headers["allow"]) == (405, "POST")

    asked(rota, talk)


def test_another_way_to_know_who_asks_can_be_given(rota: Rota) -> None:
    async def nobody(_scope: Any) -> Any:
        raise Unauthorized("not today")

    async def talk(who: Askers) -> None:
        async with client(mcp.app(rota, nobody)) as other:
            assert (await other.post("http://localhost/tools/list_tasks")).json()["detail"] == "not today"

    asked(rota, talk)
    assert rota.clock.now() == NOON


def set_external_url(rota: Rota, url: str) -> None:
    rota.settings = structs.replace(rota.settings, daemon=structs.replace(rota.settings.daemon, external_url=url))


def test_every_scope_that_a_tool_asks_for_is_a_known_one() -> None:
    assert {scope for tool in TOOLS for scope in tool.scopes} <= set(SCOPES)

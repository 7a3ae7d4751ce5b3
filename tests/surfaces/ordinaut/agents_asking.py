"""Agents who ask through Ordinaut's API: on a store alone, or with the whole engine behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from msgspec import Struct
from starlette.types import ASGIApp
from tests.running import running

from rota.core.actor import OPERATOR
from rota.ops import agents
from rota.ops.context import Rota
from rota.server import Source
from rota.surfaces import ordinaut
from rota.tools import Tool

T = TypeVar("T")
ENDED_S = 4
ALL = (
    "tasks:create", "tasks:read", "tasks:update", "tasks:delete", "tasks:cancel", "runs:read", "events:publish",
)  # fmt: skip
ECHO = {"pipeline": [{"id": "say", "uses": "debug.echo", "with": {"message": "hello"}, "save_as": "said"}]}
FAILING = {"pipeline": [{"id": "boom", "uses": "debug.echo", "with": {"x": "${length(`1`)}"}}]}


class Agent(Struct):
    """One that asks."""

    id: str
    secret: str
    client: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> Any:
        reply = await self.client.get(path, params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        reply = await self.client.post(path, json=body) if body is not None else await self.client.post(path)
        assert reply.status_code == status, reply.text
        return reply.json()

    async def put(self, path: str, body: Any, status: int = 200) -> Any:
        reply = await self.client.put(path, json=body)
        assert reply.status_code == status, reply.text
        return reply.json()

    async def task(self, **fields: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self.post("/tasks", task_body(**fields), 201)
        return made

    async def runs(self, task: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
        """Newest first."""
        found: list[dict[str, Any]] = (await self.get("/runs", task_id=task["id"], **query))["items"]
        return found

    async def until_runs(self, task: dict[str, Any], *statuses: str) -> list[dict[str, Any]]:
        """The task's runs, newest first, once they stand so."""

        async def look() -> list[dict[str, Any]] | None:
            found = await self.runs(task, include_errors=True)
            return found if [run["status"] for run in found] == list(statuses) else None

        return await until(look)


class People(Struct):
    """The owner of what a test makes, another agent, the one that may do everything, and one without any scope or token."""

    owner: Agent
    other: Agent
    admin: Agent
    weak: Agent
    nobody: httpx.AsyncClient
    rota: Rota
    app: ASGIApp
    gate: asyncio.Event


def task_body(**fields: Any) -> dict[str, Any]:
    plain = {"title": "Say hello", "description": "Says hello.", "schedule_kind": "cron", "schedule_expr": "0 9 * * 1-5"}
    return {**plain, "payload": ECHO, **fields}


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    async with asyncio.timeout(ENDED_S):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.005)


def client(app: ASGIApp, token: str | None = None, address: str = "127.0.0.1") -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=True, client=(address, 5000))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", headers=headers)


async def log_in(nobody: httpx.AsyncClient, agent_id: str, secret: str) -> dict[str, Any]:
    reply = await nobody.post("/agents/auth/token", json={"agent_id": agent_id, "agent_secret": secret})
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return told


@asynccontextmanager
async def people(rota: Rota) -> AsyncIterator[People]:
    app = ordinaut.app(rota)
    async with AsyncExitStack() as stack:
        nobody = await stack.enter_async_context(client(app))

        async def enter(agent_id: str, secret: str) -> Agent:
            token = (await log_in(nobody, agent_id, secret))["access_token"]
            return Agent(agent_id, secret, await stack.enter_async_context(client(app, token)))

        async def add(name: str, *scopes: str) -> Agent:
            known = [each for each in await agents.list_agents(rota, OPERATOR) if each.name == name]
            if known:
                return await enter(known[0].id, await agents.set_secret(rota, OPERATOR, known[0].id))
            made = await agents.add_agent(rota, OPERATOR, name, scopes=scopes)
            return await enter(made.agent_id, made.agent_secret)

        root_secret = await agents.ensure_system_agent(rota) or await agents.set_secret(rota, OPERATOR, agents.SYSTEM_ID)
        yield People(
            owner=await add("owner", *ALL),
            other=await add("other", *ALL),
            admin=await enter(agents.SYSTEM_ID, root_secret),
            weak=await add("weak"),
            nobody=nobody,
            rota=rota,
            app=app,
            gate=asyncio.Event(),
        )


def asked(rota: Rota, talk: Callable[[People], Awaitable[T]]) -> T:
    """One conversation, on a store alone."""

    async def ask() -> T:
        async with people(rota) as who:
            return await talk(who)

    return asyncio.run(ask())


def served(folder: Path, talk: Callable[[People], Awaitable[T]], toml: str = "") -> T:
    """One conversation, with all loops running. Its pipelines may call `test.gate`, which ends once the test sets `gate`."""

    async def ask() -> T:
        (folder / "rota.toml").write_text(toml)
        source = Source(folder / "rota.toml", {"PATH": "/usr/bin:/bin"}, {"server.data": str(folder / "data")})
        async with running(source) as rota, people(rota) as who:
            gate = who.gate
            rota.tools._tools["test.gate"] = Tool(name="test.gate", description="Waits.", call=lambda _: _wait(gate))
            return await talk(who)

    return asyncio.run(ask())


async def _wait(gate: asyncio.Event) -> dict[str, Any]:
    await gate.wait()
    return {}

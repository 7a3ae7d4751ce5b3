"""People who ask through fylr's API, with the whole engine behind it: or on a store alone."""

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
from rota.ops import keys, users
from rota.ops.context import Rota
from rota.server import Source
from rota.surfaces import fylr

T = TypeVar("T")
ENDED_S = 15
TASK = "/api/v1/task"
PAST = "2020-01-01T00:00:00Z"
PASSWORD = "correct horse"


class User(Struct):
    """One that asks."""

    name: str
    client: httpx.AsyncClient

    async def ask(self, method: str, path: str = "", body: Any = None, status: int = 200, **query: Any) -> Any:
        reply = await self.client.request(method, TASK + path, json=body, params=query)
        assert reply.status_code == status, reply.text
        return reply.json()

    async def create(self, status: int = 200, /, **fields: Any) -> Any:
        """A task that sleeps, if nothing else is said; its wrapper."""
        return await self.ask("POST", body={"task": {"task_module": "sleep", **fields}}, status=status)

    async def task(self, **fields: Any) -> Any:
        return (await self.create(**fields))["task"]

    async def get(self, task: dict[str, Any]) -> Any:
        return (await self.ask("GET", f"/{task['_id']}"))["task"]

    async def patch(self, task: dict[str, Any], status: int = 200, /, **fields: Any) -> Any:
        """From the version that is given."""
        body = {"task": {"_version": task["_version"] + 1, **fields}}
        return await self.ask("PATCH", f"/{task['_id']}", body, status)

    async def until(self, task: dict[str, Any], *statuses: str) -> Any:
        """The task, once it stands so."""

        async def look() -> Any:
            found = await self.get(task)
            return found if found["status"] in statuses else None

        return await until(look)


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    async with asyncio.timeout(ENDED_S):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.01)


class People(Struct):
    """The owner of what a test makes, a stranger, one with every right, one without any, and one without a token."""

    owner: User
    stranger: User
    root: User
    plain: User
    nobody: httpx.AsyncClient
    rota: Rota
    app: ASGIApp


def client(app: ASGIApp, token: str | None = None, address: str = "127.0.0.1") -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=True, client=(address, 5000))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", headers=headers)


@asynccontextmanager
async def people(rota: Rota) -> AsyncIterator[People]:
    app = fylr.app(rota)
    async with AsyncExitStack() as stack:

        async def enter(name: str, *rights: str) -> User:
            known = {user.name for user in await users.list_users(rota, OPERATOR)}
            if name not in known:
                await users.add_user(rota, OPERATOR, name, rights=rights)
            key = await keys.add_key(rota, OPERATOR, name, "fylr")
            return User(name, await stack.enter_async_context(client(app, key.secret)))

        yield People(
            owner=await enter("olga", "system.task"),
            stranger=await enter("stan", "system.task"),
            root=await enter("ruth", "system.root"),
            plain=await enter("paul"),
            nobody=await stack.enter_async_context(client(app)),
            rota=rota,
            app=app,
        )


def asked(rota: Rota, talk: Callable[[People], Awaitable[T]]) -> T:
    """One conversation, on a store alone."""

    async def ask() -> T:
        async with people(rota) as who:
            return await talk(who)

    return asyncio.run(ask())


def served(folder: Path, talk: Callable[[People], Awaitable[T]], toml: str = "") -> T:
    """One conversation, with all loops running."""
    (folder / "rota.toml").write_text(toml)
    source = Source(folder / "rota.toml", {"PATH": "/usr/bin:/bin"}, {"server.data": str(folder / "data")})
    return asyncio.run(asked_on(source, talk))


async def asked_on(source: Source, talk: Callable[[People], Awaitable[T]]) -> T:
    async with running(source) as rota, people(rota) as who:
        return await talk(who)

"""People with keys for NLA's API: on a store alone, or with the whole engine behind it."""

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
from rota.surfaces import native, nla

T = TypeVar("T")
ENDED_S = 5
PROMPT = {
    "type": "prompt", "name": "Synopsis", "system": "You write films.", "user": "{prompt}", "llm": "echo", "apikey": "{key}",
    "model": "any", "temperature": 1, "maxTokens": 100, "output": "context",
}  # fmt: skip
RETURN = {"type": "return", "name": "Return", "output": ["context"]}


class Person(Struct):
    """One that asks, with a key of NLA's and one of the native API."""

    id: str
    client: httpx.AsyncClient
    native: httpx.AsyncClient

    async def get(self, path: str, status: int = 200, **query: Any) -> Any:
        return answered(await self.client.get(f"/api/v1{path}", params=query), status)

    async def post(self, path: str, body: Any, status: int = 201) -> Any:
        return answered(await self.client.post(f"/api/v1{path}", json=body), status)

    async def delete(self, path: str, status: int = 200) -> Any:
        return answered(await self.client.delete(f"/api/v1{path}"), status)

    async def agent(self, **fields: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self.post("/agent", agent_body(**fields))
        return made

    async def run(self, agent: str = "movie", callback: str | None = None, **values: Any) -> dict[str, Any]:
        told = {} if callback is None else {"callback": callback}
        made: dict[str, Any] = await self.post(f"/workflow/{agent}", {"input": values, **told})
        return made

    async def until(self, task: dict[str, Any], status: str) -> dict[str, Any]:
        """The task once it stands so."""
        return await self.until_it(task, lambda found: bool(found["status"] == status))

    async def until_it(self, task: dict[str, Any], holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(ENDED_S):
            while True:
                found: dict[str, Any] = await self.get(f"/task/{task['id']}")
                if holds(found):
                    return found
                await asyncio.sleep(0.005)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(ENDED_S):
        while True:
            if holds():
                return
            await asyncio.sleep(0.005)


class People(Struct):
    """Two users, and one who has no key."""

    ann: Person
    bob: Person
    nobody: httpx.AsyncClient
    rota: Rota
    app: ASGIApp


def agent_body(**fields: Any) -> dict[str, Any]:
    plain = {
        "id": "movie",
        "name": "Movie Script agent",
        "description": "Writes films.",
        "variables": {"key": "k", "prompt": "hello"},
    }
    return {**plain, "workflow": [PROMPT, RETURN], **fields}


def prompt(**fields: Any) -> dict[str, Any]:
    return {**PROMPT, **fields}


def answered(reply: httpx.Response, status: int) -> Any:
    assert reply.status_code == status, reply.text
    if status >= 400:
        assert list(reply.json()) == ["message"]
    return reply.json()


def client(app: ASGIApp, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="http://rota", headers=headers)


@asynccontextmanager
async def people(rota: Rota) -> AsyncIterator[People]:
    app = nla.app(rota)
    async with AsyncExitStack() as stack:

        async def enter(name: str) -> Person:
            user = await users.add_user(rota, OPERATOR, name)
            secrets = [(await keys.add_key(rota, OPERATOR, name, kind)).secret for kind in ("nla", "native")]
            clients = client(app, apikey=secrets[0]), client(native.app(rota), authorization=f"Bearer {secrets[1]}")
            return Person(user.id, *[await stack.enter_async_context(each) for each in clients])

        nobody = await stack.enter_async_context(client(app))
        yield People(ann=await enter("ann"), bob=await enter("bob"), nobody=nobody, rota=rota, app=app)


def asked(rota: Rota, talk: Callable[[People], Awaitable[T]]) -> T:
    """One conversation, on a store alone: nothing that is started gets any further."""

    async def ask() -> T:
        async with people(rota) as who:
            return await talk(who)

    return asyncio.run(ask())


def served(folder: Path, talk: Callable[[People], Awaitable[T]], toml: str = "") -> T:
    """One conversation, with all loops running."""

    async def ask() -> T:
        (folder / "rota.toml").write_text(toml)
        source = Source(folder / "rota.toml", {"PATH": "/usr/bin:/bin"}, {"server.data": str(folder / "data")})
        async with running(source) as rota, people(rota) as who:
            return await talk(who)

    return asyncio.run(ask())

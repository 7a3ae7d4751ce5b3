"""People who ask through the Tasks API: with keys of their own, in projects of theirs and of others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import httpx
from msgspec import Struct
from starlette.types import ASGIApp

from rota.core.actor import OPERATOR
from rota.ops import keys, projects, users
from rota.ops.context import Rota
from rota.store.users import User
from rota.surfaces import posthog

T = TypeVar("T")
BOTH = ("task:read", "task:write")


class Client:
    """One key that asks. Paths are below the project of the test."""

    def __init__(self, http: httpx.AsyncClient, project: int) -> None:
        self.http = http
        self.base = f"/api/projects/{project}"

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        whole = path if path.startswith("/api/") else self.base + path
        if body is not None:
            options["json"] = body
        return await self.http.request(method, whole, **options)

    async def get(self, path: str, status: int = 200, /, **query: Any) -> Any:
        return self._read(await self.ask("GET", path, params=query or None), status)

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return self._read(await self.ask("POST", path, body), status)

    async def patch(self, path: str, body: Any, status: int = 200) -> Any:
        return self._read(await self.ask("PATCH", path, body), status)

    async def delete(self, path: str, body: Any = None, status: int = 204) -> Any:
        return self._read(await self.ask("DELETE", path, body), status)

    async def task(self, **fields: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self.post("/tasks", fields, 201)
        return made

    async def titles(self, **query: Any) -> list[str]:
        """Of the list, in its order."""
        return [task["title"] for task in (await self.get("/tasks", **query))["results"]]

    def _read(self, reply: httpx.Response, status: int) -> Any:
        assert reply.status_code == status, reply.text[:500]
        return reply.json() if reply.content else None


class People(Struct):
    """owner makes things in the project; member belongs to it as well; staff has the right of that name; stranger has a
    project of his own. reader is the owner with a read-only key, limited the owner with a key of the other project alone,
    everything a key with `*`, plain one without any limits; nobody shows no key."""

    owner: Client
    member: Client
    staff: Client
    stranger: Client
    reader: Client
    limited: Client
    everything: Client
    plain: Client
    nobody: Client
    users: dict[str, User]
    project: int
    other: int
    rota: Rota
    app: ASGIApp


@asynccontextmanager
async def people(rota: Rota, name: str = "Default Project") -> AsyncIterator[People]:
    app = posthog.app(rota)
    async with AsyncExitStack() as stack:
        project = (await projects.add_project(rota, OPERATOR, name)).id
        other = (await projects.add_project(rota, OPERATOR, "Other")).id
        known = {}
        for who, rights in {"owner": [], "member": [], "staff": ["staff"], "stranger": []}.items():
            known[who] = await users.add_user(rota, OPERATOR, who, email=f"{who}@example.org", rights=rights)
        for who in ("owner", "member", "staff"):
            await projects.join_project(rota, OPERATOR, project, who)
        await projects.join_project(rota, OPERATOR, other, "stranger")
        await projects.join_project(rota, OPERATOR, other, "owner")

        async def enter(who: str, scopes: Sequence[str] | None = (*BOTH, "user:write"), only: int | None = None) -> Client:
            limits = None if only is None else [only]
            key = await keys.add_key(rota, OPERATOR, who, "posthog", scopes=scopes, project_ids=limits)
            return Client(await stack.enter_async_context(client(app, key.secret)), project)

        yield People(
            owner=await enter("owner"),
            member=await enter("member"),
            staff=await enter("staff"),
            stranger=await enter("stranger"),
            reader=await enter("owner", ["task:read"]),
            limited=await enter("owner", only=other),
            everything=await enter("owner", ["*"]),
            plain=await enter("owner", None),
            nobody=Client(await stack.enter_async_context(client(app)), project),
            users=known,
            project=project,
            other=other,
            rota=rota,
            app=app,
        )


def client(app: ASGIApp, key: str | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=True, client=("127.0.0.1", 5000))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000", headers=headers)


def asked(rota: Rota, talk: Callable[[People], Awaitable[T]]) -> T:
    """One conversation, on a store alone."""

    async def ask() -> T:
        async with people(rota) as who:
            return await talk(who)

    return asyncio.run(ask())

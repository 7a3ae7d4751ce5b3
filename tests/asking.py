"""A Rota on a real SQLite file with a clock that is set by hand, and people who ask it through the native API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
from msgspec import Struct
from tests.factories import NOON

from rota.blobs import LocalBlobs
from rota.bus import Bus
from rota.core.actor import OPERATOR, Actor
from rota.ids import Ids
from rota.logs import RunLogs
from rota.ops import keys, users
from rota.ops.context import Rota, default_settings
from rota.store.database import Database
from rota.surfaces import native
from rota.vitals import Vitals

T = TypeVar("T")
SETTINGS = default_settings()
SHELL = {"kind": "shell", "script": "true"}


class HandClock:
    """Stands at noon until it is moved."""

    def __init__(self) -> None:
        self._now = NOON

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def wait(self, wake: asyncio.Event, until: datetime | None) -> None:
        await wake.wait()

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


def make_rota(database: Database, folder: Path) -> Rota:
    clock = HandClock()
    return Rota(
        database=database,
        clock=clock,
        ids=Ids(clock),
        bus=Bus("test"),
        logs=RunLogs(folder / "logs"),
        blobs=LocalBlobs(folder / "blobs", database, clock),
        vitals=Vitals(started_at=clock.now()),
        settings=SETTINGS,
    )


class People(Struct):
    """Three who ask: the owner of what a test makes, a stranger, and one with every right; and the operator at the
    machine, one without any right, and one without a key."""

    owner: httpx.AsyncClient
    stranger: httpx.AsyncClient
    root: httpx.AsyncClient
    operator: httpx.AsyncClient
    plain: httpx.AsyncClient
    nobody: httpx.AsyncClient


@asynccontextmanager
async def people(rota: Rota) -> AsyncIterator[People]:
    app = native.app(rota)
    rights = {"olga": ["task.shell"], "stan": ["task.shell"], "ruth": ["system.root"], "paul": []}
    # At once, so that they share the transactions that are slow to commit.
    olga, stan, ruth, paul = await asyncio.gather(*(new_key(rota, name, *held) for name, held in rights.items()))
    clients = People(
        owner=client(app, olga),
        stranger=client(app, stan),
        root=client(app, ruth),
        operator=client(native.control_app(rota)),
        plain=client(app, paul),
        nobody=client(app),
    )
    try:
        yield clients
    finally:
        for name in clients.__struct_fields__:
            await getattr(clients, name).aclose()


def client(app: Any, key: str | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="http://rota", headers=headers)


async def new_key(rota: Rota, name: str, *rights: str) -> str:
    await users.add_user(rota, OPERATOR, name, rights=rights)
    return (await keys.add_key(rota, OPERATOR, name, "native")).secret


async def new_actor(rota: Rota, name: str, *rights: str) -> Actor:
    return (await users.add_user(rota, OPERATOR, name, rights=rights)).actor


def asked(rota: Rota, question: Callable[[People], Awaitable[T]]) -> T:
    """Run one conversation from beginning to end."""

    async def ask() -> T:
        async with people(rota) as clients:
            return await question(clients)

    return asyncio.run(ask())


async def new_task(who: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    """A task, made over the API."""
    reply = await who.post("/v1/tasks", json={"name": "backup", "executor": SHELL, **fields})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def new_run(who: httpx.AsyncClient, task: dict[str, Any], **params: Any) -> dict[str, Any]:
    reply = await who.post(f"/v1/tasks/{task['id']}/run", json={"params": params})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made

"""RunWisp's API in this process: over a settings file alone, or with the whole engine and real processes behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from msgspec import Struct
from starlette.types import ASGIApp
from tests.running import running

from rota.config import load
from rota.core.actor import OPERATOR, Actor
from rota.http.auth import as_operator
from rota.ops.context import Rota, VariableFiles
from rota.ops.installation import apply_file_tasks
from rota.server import Source
from rota.surfaces import runwisp

T = TypeVar("T")
ENDED_S = 20


class Place(Struct):
    """Who asks, and what is asked."""

    client: httpx.AsyncClient
    app: ASGIApp
    rota: Rota
    folder: Path

    async def get(self, path: str, **query: Any) -> Any:
        reply = await self.client.get(path, params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def post(self, path: str, body: Any = None) -> Any:
        reply = await self.client.post(path, json=body)
        assert reply.status_code in (200, 201), reply.text
        return reply.json()

    async def run(self, task: str, **params: Any) -> dict[str, Any]:
        """A run that has ended."""
        made: dict[str, Any] = await self.post(f"/api/tasks/{task}/run?wait=true&wait_timeout={ENDED_S}", {"params": params})
        assert made["status"] == "ended"
        return made

    async def runs(self, task: str) -> list[dict[str, Any]]:
        """Newest first."""
        found: list[dict[str, Any]] = (await self.get(f"/api/tasks/{task}/runs"))["runs"]
        return found

    async def until(self, look: Callable[[], Awaitable[T | None]]) -> T:
        async with asyncio.timeout(ENDED_S):
            while True:
                if found := await look():
                    return found
                await asyncio.sleep(0.01)

    async def until_runs(self, task: str, *statuses: str) -> list[dict[str, Any]]:
        """The task's runs, newest first, once they stand so."""

        async def look() -> list[dict[str, Any]] | None:
            found = await self.runs(task)
            return found if [run.get("end_reason") or run["status"] for run in found] == list(statuses) else None

        return await self.until(look)

    async def log(self, run: dict[str, Any], **query: Any) -> Any:
        return await self.get(f"/api/tasks/{run['task_name']}/runs/{run['id']}/log", **query)


def asking(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:9477")


@asynccontextmanager
async def described(rota: Rota, folder: Path, toml: str = "", actor: Actor = OPERATOR) -> AsyncIterator[Place]:
    """The units of a settings file in the store, and nothing that runs them."""
    file = folder / "runwisp.toml"
    file.write_text(toml)
    units = load(file, {}).units
    files = {unit.name: VariableFiles(unit.env_file, unit.secrets_file) for unit in units}
    rota.files_of = lambda name: files.get(name, VariableFiles())
    await apply_file_tasks(rota, [unit.spec for unit in units])

    async def authenticate(_scope: Any) -> Actor:
        return actor

    app = runwisp.app(rota, authenticate)
    async with asking(app) as client:
        yield Place(client, app, rota, folder)


@asynccontextmanager
async def serving(folder: Path, toml: str, **environ: str) -> AsyncIterator[Place]:
    """A server with all its loops, but no sockets."""
    (folder / "runwisp.toml").write_text(toml)
    flags = {"server.data": str(folder / "data")}
    source = Source(folder / "runwisp.toml", {"RUNWISP_NO_AUTH": "1", "PATH": "/usr/bin:/bin", **environ}, flags)
    async with running(source) as rota:
        app = runwisp.app(rota, as_operator)
        async with asking(app) as client:
            yield Place(client, app, rota, folder)

"""Several apps on one listener."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route, Router

from rota.http.mounts import Mounts


def app(name: str) -> Router:
    async def answer(request: Any) -> PlainTextResponse:
        return PlainTextResponse(f"{name} at {request.scope['root_path'] or '/'}")

    return Router([Route("/", answer), Route("/api/tasks", answer)], redirect_slashes=False)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/tasks", "root at /"),
        ("/runwisp/api/tasks", "runwisp at /runwisp"),
        ("/runwisp/", "runwisp at /runwisp"),
        ("/runwispy/api/tasks", "Not Found"),
        ("/other/api/tasks", "Not Found"),
    ],
)
def test_an_app_is_asked_under_its_prefix(path: str, said: str) -> None:
    async def ask() -> str:
        transport = httpx.ASGITransport(Mounts(app("root"), {"/runwisp": app("runwisp")}))
        async with httpx.AsyncClient(transport=transport, base_url="http://rota") as client:
            return (await client.get(path)).text

    assert asyncio.run(ask()) == said

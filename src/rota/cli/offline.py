"""With the server down: the apps of its control socket, called in this process on the stored data."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from rota.cli.place import Place
from rota.cli.storage import open_rota

if TYPE_CHECKING:
    import httpx


@contextmanager
def open_transport(place: Place) -> Iterator["httpx.BaseTransport"]:
    """What sends requests to the same apps as the control socket. Raises Failure when there is no database yet."""
    with open_rota(place) as rota:
        if rota.database.dialect == "postgres":
            from rota.cli.absent import find_absent

            rota.bring_logs = partial(find_absent, rota, place)
        from rota.surfaces import CONTROL, mounted  # late, for a message that there is nothing here needs none of it

        transport = _in_process(mounted(rota, CONTROL))
        try:
            yield transport
        finally:
            transport.close()


def _in_process(app: Any) -> "httpx.BaseTransport":
    import httpx

    class InProcess(httpx.BaseTransport):
        """Takes a request from a synchronous client to an ASGI app and back; a reply is complete before it is handed on."""

        def __init__(self) -> None:
            self._runner = asyncio.Runner()
            self._asgi = httpx.ASGITransport(app)

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return self._runner.run(self._ask(request))

        async def _ask(self, request: httpx.Request) -> httpx.Response:
            reply = await self._asgi.handle_async_request(request)
            return httpx.Response(reply.status_code, headers=reply.headers, content=await reply.aread())

        def close(self) -> None:
            self._runner.close()

    return InProcess()

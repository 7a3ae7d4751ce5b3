"""Around every request of this surface: its id, its headers, its spelling, and what is counted."""

import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rota.clock import Clock
from rota.surfaces.ordinaut.auth import KEEPER, TokenKeeper
from rota.surfaces.ordinaut.errors import request_id
from rota.surfaces.ordinaut.meters import KEY, Meters

PERMISSIONS = (b"permissions-policy", b"camera=(), geolocation=(), microphone=()")
VERSION = "/v1"
REFUSALS = {401: "unauthorized", 403: "forbidden", 429: "rate_limited"}


class Served:
    """The app with all that. `/tasks` and `/tasks/` are one path, and so is each with `/v1` before it."""

    def __init__(self, app: ASGIApp, keeper: TokenKeeper, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._meters = Meters()
        self._shared = {KEY: self._meters, KEEPER: keeper}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        its_id, start = f"req-{secrets.token_hex(4)}", self._clock.monotonic()
        token = request_id.set(its_id)

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(message["status"])
                added = [(b"x-request-id", its_id.encode()), PERMISSIONS]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        try:
            await self._app({**_plain(scope), **self._shared}, receive, send_on)
        finally:
            request_id.reset(token)
            self._meters.requests.observe(self._clock.monotonic() - start)

    def _count(self, status: int) -> None:
        if status in REFUSALS:
            self._meters.refusals[REFUSALS[status]] += 1


def _plain(scope: Scope) -> Scope:
    """The scope with its path in the one spelling that the routes have."""
    root = str(scope.get("root_path", ""))
    path = str(scope["path"]).removeprefix(root)
    if path == VERSION or path.startswith(f"{VERSION}/"):
        root, path = root + VERSION, path.removeprefix(VERSION) or "/"
    if len(path) > 1 and path.endswith("/"):
        path = path[:-1]
    return {**scope, "root_path": root, "path": root + path}

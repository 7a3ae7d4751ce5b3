"""Who is asking: by the `apikey` header, and before anything else is looked at (contract §2)."""

from starlette.types import ASGIApp, Receive, Scope, Send

from rota.core.actor import Actor
from rota.core.errors import RotaError, Unauthorized
from rota.http.auth import Authenticate, by_key
from rota.http.errors import answer_error
from rota.ops.context import Rota
from rota.surfaces.nla.errors import render

HEADER = b"apikey"
API = "/api/v1"
ACTOR = "rota.nla.actor"


def by_apikey(rota: Rota) -> Authenticate:
    return by_key(rota, "nla", _key_of)


def _key_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == HEADER and value.strip():
            return str(value.decode("latin-1").strip())
    raise Unauthorized("this needs a key", hint="apikey: <key>; an operator makes one with rota key add --for nla")


async def known_already(scope: Scope) -> Actor:
    """The actor whom `KeyFirst` let in."""
    actor = scope[ACTOR]
    assert isinstance(actor, Actor)  # noqa: S101  nothing else is put there
    return actor


class KeyFirst:
    """Nobody without a key learns what there is: not even which paths and methods."""

    def __init__(self, app: ASGIApp, authenticate: Authenticate) -> None:
        self._app = app
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_api(scope):
            try:
                scope = {**scope, ACTOR: await self._authenticate(scope)}
            except RotaError as error:
                await answer_error(error, render).send(send)
                return
        await self._app(scope, receive, send)


def _is_api(scope: Scope) -> bool:
    path = str(scope["path"]).removeprefix(str(scope.get("root_path", "")))
    return path == API or path.startswith(f"{API}/")

"""Authentication as RunWisp's clients do it (contract §13): challenge and password, session cookie or Bearer, launch tickets."""

import os
import re
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import Struct
from starlette.types import Scope

from rota import __version__
from rota.core.actor import Actor
from rota.core.errors import Forbidden, NotFound, Unauthorized
from rota.datadir import SOCKET
from rota.http.address import peer_of
from rota.http.auth import KEPT_S, MOST_KEPT, Authenticate, find_bearer
from rota.http.cookies import cookie, find_cookie
from rota.http.csrf import check_same_origin
from rota.http.reply import JSON, Reply, ok
from rota.http.routes import Ask, Route
from rota.http.tokens import Tokens
from rota.ops.context import Rota
from rota.ops.identity import get_fingerprint
from rota.ops.reading import Malformed
from rota.ops.revocations import is_revoked, revoke_token

# Whoever knows the password of the installation is its operator.
RUNWISP = Actor(id="runwisp", name="runwisp", kind="operator")
COOKIE = "runwisp_jwt"
ISSUER, AUDIENCE = "runwisp", "runwisp-api"
SESSION_S = 24 * 60 * 60
LARGEST_LOGIN = 1024
# Of this server: no second slash that would name another one, and nothing that a browser reads as one.
PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
ASCII = "".join(map(chr, range(0x21, 0x7F)))


class Status(Struct):
    auth_required: bool
    authenticated: bool


class Challenge(Struct):
    nonce: str


class Login(Struct, forbid_unknown_fields=True):
    """`response`: PBKDF2-HMAC-SHA256 of the password, 600,000 rounds over the nonce's text, 32 bytes, in lower-case hex."""

    nonce: str
    response: str


class Session(Struct):
    token: str


class Ticket(Struct):
    ticket: str


class Launch(Struct):
    ticket: str
    redirect: str | None = None


class Instance(Struct):
    app: str
    fingerprint: str
    version: str
    pid: int
    data_dir: str
    config_path: str
    socket_path: str


class Credentials(Struct):
    password: str
    ephemeral: bool


class Sessions:
    """Reads session tokens. One that was taken back elsewhere stops working within a second."""

    def __init__(self, rota: Rota) -> None:
        self._rota = rota
        self._tokens: Tokens | None = None
        self._kept: dict[str, tuple[float, int]] = {}

    async def read(self, token: str) -> dict[str, Any]:
        """The claims. Raises Unauthorized."""
        if self._tokens is None:
            self._tokens = await tokens_of(self._rota)
        claims = self._tokens.read(token)
        token_id, now, changes = str(claims["jti"]), self._rota.clock.monotonic(), self._rota.bus.rights.changes
        until, seen = self._kept.get(token_id, (0.0, 0))
        if until <= now or seen != changes:
            self._kept.pop(token_id, None)
            if await is_revoked(self._rota, token_id):
                raise Unauthorized("this session was ended", hint="log in again")
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[token_id] = now + KEPT_S, changes
        return claims


def by_session(rota: Rota) -> Authenticate:
    """Actors by session token, in a cookie or as Bearer. Raises Unauthorized, and Forbidden for what another site sent."""
    sessions = Sessions(rota)

    async def authenticate(scope: Scope) -> Actor:
        if rota.door.is_open:
            check_same_origin(scope, told=False)
            return RUNWISP
        bearer = find_bearer(scope)
        await sessions.read(bearer or find_session(scope))
        if bearer is None:
            check_same_origin(scope)
        return RUNWISP

    return authenticate


async def tokens_of(rota: Rota) -> Tokens:
    key = await rota.door.session_key(await get_fingerprint(rota))
    return Tokens(key, rota.clock, issuer=ISSUER, audience=AUDIENCE)


def find_session(scope: Scope) -> str:
    """The token of the cookie. Raises Unauthorized."""
    token = find_cookie(scope, COOKIE)
    if not token:
        raise Unauthorized("this needs a session", hint="log in: GET /api/auth/challenge, then POST /api/auth")
    return token


async def get_status(ask: Ask) -> Reply:
    is_open = ask.rota.door.is_open or peer_of(ask.scope).address is None
    return ok(Status(auth_required=not ask.rota.door.is_open, authenticated=is_open or await _has_session(ask)))


async def get_challenge(ask: Ask) -> Reply:
    return ok(Challenge(await ask.rota.door.challenge(peer_of(ask.scope).address)))


async def login(ask: Ask) -> Reply:
    await ask.rota.door.answer(ask.body.nonce, ask.body.response, peer_of(ask.scope).address)
    token = await _issue(ask.rota)
    return ok(Session(token), ("Set-Cookie", _cookie(ask.scope, token, SESSION_S)))


async def logout(ask: Ask) -> Reply:
    token = find_bearer(ask.scope) or find_cookie(ask.scope, COOKIE)
    if token is not None:
        claims = (await tokens_of(ask.rota)).read(token)
        await revoke_token(ask.rota, str(claims["jti"]), datetime.fromtimestamp(int(claims["exp"]), UTC), RUNWISP.id)
    return Reply(HTTPStatus.NO_CONTENT, b"", JSON, ((b"set-cookie", _cookie(ask.scope, "", 0).encode()),))


async def make_ticket(ask: Ask) -> Reply:
    return ok(Ticket(await ask.rota.door.tickets.issue()))


async def launch(ask: Ask) -> Reply:
    target = _target(ask)
    await ask.rota.door.use_ticket(ask.query.ticket, peer_of(ask.scope).address)
    session = _cookie(ask.scope, await _issue(ask.rota), SESSION_S)
    headers = ((b"location", target.encode()), (b"set-cookie", session.encode()))
    return Reply(HTTPStatus.SEE_OTHER, b"", JSON, headers)


async def get_instance(ask: Ask) -> Reply:
    peer = peer_of(ask.scope)
    if not (peer.is_local and (peer.address is None or _is_loopback_name(peer.host))):
        raise Forbidden("only a process of this machine is told")
    info = ask.rota.info
    data, config = _whole(info.get("data_dir")), _whole(info.get("config"))
    instance = Instance(
        app="runwisp",
        fingerprint=await get_fingerprint(ask.rota),
        version=__version__,
        pid=os.getpid(),
        data_dir=data,
        config_path=config,
        socket_path=f"{data}/{SOCKET}",
    )
    return ok(instance)


async def get_credentials(ask: Ask) -> Reply:
    door = ask.rota.door
    if peer_of(ask.scope).address is not None:
        raise Forbidden("only the control socket shows the password")
    if door.is_open or not door.is_ephemeral:
        raise NotFound("authentication is off" if door.is_open else "the operator has set the password, in RUNWISP_PASSWORD")
    return ok(Credentials(door.password, ephemeral=True))


async def _has_session(ask: Ask) -> bool:
    try:
        await Sessions(ask.rota).read(find_bearer(ask.scope) or find_session(ask.scope))
    except Unauthorized:
        return False
    return True


async def _issue(rota: Rota) -> str:
    return (await tokens_of(rota)).issue(RUNWISP.id, SESSION_S)


def _cookie(scope: Scope, token: str, max_age_s: int) -> str:
    path = f"{scope.get('root_path', '')}/api/"
    return cookie(COOKIE, token, path=path, max_age_s=max_age_s, secure=peer_of(scope).is_https)


def _target(ask: Ask) -> str:
    """Where a launch leads to. Raises Malformed (400) for anything but a path of this server."""
    asked = ask.query.redirect or f"{ask.scope.get('root_path', '')}/"
    path = quote(asked, safe=ASCII)
    if not (asked.isprintable() and PATH.fullmatch(path)):
        raise Malformed.at("query.redirect", "must be a path of this server, such as /tasks/backup", asked[:100])
    return path


def _whole(path: str | None) -> str:
    return str(Path(path).absolute()) if path else ""


def _is_loopback_name(host: str) -> bool:
    """Whether a browser that sent this Host was led to us by nobody else's name server."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


ROUTES = (
    Route(
        method="GET", path="/api/auth/status", handler=get_status,
        summary="Whether a session is needed, and whether there is one", reply=Status, is_public=True,
    ),
    Route(
        method="GET", path="/api/auth/challenge", handler=get_challenge,
        summary="A nonce to log in with, good for one use within 5 minutes", reply=Challenge, errors=(429,), is_public=True,
    ),
    Route(
        method="POST", path="/api/auth", handler=login, summary="Log in by answering a challenge",
        body=Login, most=LARGEST_LOGIN, reply=Session, errors=(400, 401, 429), is_public=True,
    ),
    Route(method="POST", path="/api/auth/logout", handler=logout, summary="End this session", status=204, errors=(403,)),
    Route(
        method="POST", path="/api/auth/launch-ticket", handler=make_ticket,
        summary="A ticket that opens one session, good for one use within 60 seconds", reply=Ticket, errors=(403,),
    ),
    Route(
        method="GET", path="/api/auth/launch", handler=launch, summary="Use a ticket, and go on with a session",
        query=Launch, status=303, errors=(400, 401, 429), is_public=True,
    ),
    Route(
        method="GET", path="/api/instance", handler=get_instance,
        summary="Which server this is, for processes of this machine", reply=Instance, errors=(403,), is_public=True,
    ),
    Route(
        method="GET", path="/api/local/credentials", handler=get_credentials,
        summary="The random password of this start, over the control socket alone",
        reply=Credentials, errors=(403, 404), is_public=True,
    ),
)  # fmt: skip

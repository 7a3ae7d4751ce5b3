"""Who is asking: agents by their tokens, which are issued for a secret, renewed and taken back here (contract §2)."""

import asyncio
import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from starlette.types import Scope

from rota.core.actor import Actor
from rota.core.errors import Throttled, Unauthorized
from rota.http.address import peer_of
from rota.http.auth import Authenticate, find_bearer, is_local
from rota.http.reply import Reply, ok
from rota.http.routes import Ask
from rota.http.tokens import Tokens
from rota.ops import agents
from rota.ops.context import Rota
from rota.ops.limiter import Limiter
from rota.ops.revocations import is_revoked, revoke_token
from rota.store import settings
from rota.store.users import User
from rota.surfaces.ordinaut import wire
from rota.surfaces.ordinaut.asking import read_body
from rota.surfaces.ordinaut.errors import RateLimited
from rota.surfaces.ordinaut.meters import KEY, Meters

ISSUER, AUDIENCE = "rota", "ordinaut"
KEY_SETTING = "ordinaut_jwt_key"
KEY_BYTES = 48
DAY_S = 86_400
# Wrong secrets from one address.
MOST_FAILURES, FAILURES_S = 10, 60.0
KEEPER = "rota.ordinaut.keeper"


class TokenKeeper:
    """Issues and reads the tokens of one server. Its key is made once, for the life of the database, unless one is given."""

    def __init__(self, rota: Rota) -> None:
        self._rota = rota
        self._tokens: Tokens | None = None
        self._lock = asyncio.Lock()
        self.failures = Limiter(rota.clock, MOST_FAILURES, FAILURES_S)

    async def tokens(self) -> Tokens:
        async with self._lock:
            if self._tokens is None:
                self._tokens = Tokens(await self._key(), self._rota.clock, issuer=ISSUER, audience=AUDIENCE)
            return self._tokens

    async def issue(self, agent: User) -> wire.TokenPair:
        tokens, access = await self.tokens(), self._rota.settings.ordinaut
        scopes, lifetime_s = list(agent.scopes or ()), access.access_token_minutes * 60
        return wire.TokenPair(
            access_token=tokens.issue(agent.id, lifetime_s, type="access", scopes=scopes, name=agent.name),
            refresh_token=tokens.issue(agent.id, access.refresh_token_days * DAY_S, type="refresh", scopes=scopes),
            expires_in=lifetime_s,
            scope=" ".join(scopes),
        )

    async def read(self, token: str, kind: str) -> tuple[dict[str, Any], User]:
        """The claims of a token that is good, and its agent. Raises Unauthorized."""
        claims = (await self.tokens()).read(token)
        agent = await agents.find_agent(self._rota, str(claims["sub"]))
        if claims.get("type") != kind or agent is None or await is_revoked(self._rota, str(claims["jti"])):
            raise Unauthorized("this token is not good here, or was taken back", hint="log in again")
        return claims, agent

    async def _key(self) -> bytes:
        given = self._rota.settings.ordinaut.jwt_secret
        if given is not None:
            return given.reveal().encode()
        made = secrets.token_urlsafe(KEY_BYTES)
        return (await self._rota.database.write(lambda c: settings.insert_setting(c, KEY_SETTING, made))).encode()


class Pace:
    """How often one token may ask."""

    def __init__(self, rota: Rota) -> None:
        access = rota.settings.ordinaut
        self._rule = access.rate_limit
        self._limits = [
            (f"{access.requests_per_minute}/minute", Limiter(rota.clock, access.requests_per_minute, 60.0)),
            (f"{access.requests_per_hour}/hour", Limiter(rota.clock, access.requests_per_hour, 3600.0)),
        ]

    def take(self, scope: Scope, who: str) -> None:
        """Raises RateLimited."""
        if self._rule == "off" or (self._rule == "auto" and is_local(scope)):
            return
        for limit, limiter in self._limits:
            try:
                limiter.take(who)
            except Throttled as error:
                raise RateLimited(limit, error.retry_after_s) from None


def by_token(rota: Rota, keeper: TokenKeeper) -> Authenticate:
    """Agents by `Authorization: Bearer <access token>`. Raises Unauthorized, and RateLimited."""
    pace = Pace(rota)

    async def authenticate(scope: Scope) -> Actor:
        token = find_bearer(scope)
        if token is None:
            raise Unauthorized("this needs a token", hint="Authorization: Bearer <access token>, from POST /agents/auth/token")
        who, agent = await _agent_of(rota, keeper, scope, token)
        pace.take(scope, who)
        return agent.actor

    return authenticate


async def _agent_of(rota: Rota, keeper: TokenKeeper, scope: Scope, token: str) -> tuple[str, User]:
    """The agent, and what its requests are counted by."""
    if rota.settings.ordinaut.legacy_tokens and is_local(scope) and _is_uuid(token):
        agent = await agents.find_agent(rota, str(UUID(token)))
        if agent is not None:
            return agent.id, agent
    claims, agent = await keeper.read(token, "access")
    return str(claims["jti"]), agent


async def create_token(ask: Ask) -> Reply:
    body, keeper, meters = read_body(ask.body, wire.LoginBody), _keeper(ask), _meters(ask)
    address = peer_of(ask.scope).address
    keeper.failures.take(address)
    try:
        agent = await agents.log_in(ask.rota, _canonical(body.agent_id), body.agent_secret or "")
    except Unauthorized:
        meters.logins["failure"] += 1
        raise
    keeper.failures.give_back(address)
    meters.logins["success"] += 1
    return ok(await keeper.issue(agent))


async def refresh_token(ask: Ask) -> Reply:
    body, keeper = read_body(ask.body, wire.RefreshBody), _keeper(ask)
    claims, agent = await keeper.read(body.refresh_token, "refresh")
    if sorted(claims.get("scopes", ())) != sorted(agent.scopes or ()):
        raise Unauthorized("the scopes of this agent have changed since; log in again")
    return ok(await keeper.issue(agent))


async def revoke(ask: Ask) -> Reply:
    body, keeper = read_body(ask.body, wire.RefreshBody), _keeper(ask)
    try:
        claims = (await keeper.tokens()).read(body.refresh_token)
    except Unauthorized:
        return ok(wire.Operation(message="Token is not valid any more"))
    agent = await agents.find_agent(ask.rota, str(claims["sub"]))
    expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
    await revoke_token(ask.rota, str(claims["jti"]), expires_at, str(claims["sub"]), actor=agent.actor if agent else None)
    return ok(wire.Operation(message="Token revoked successfully", details={"jti": claims["jti"]}))


def _canonical(agent_id: str) -> str:
    return str(UUID(agent_id)) if _is_uuid(agent_id) else ""


def _is_uuid(text: str) -> bool:
    try:
        msgspec.convert(text, UUID)
    except msgspec.ValidationError:
        return False
    return True


def _keeper(ask: Ask) -> TokenKeeper:
    keeper: TokenKeeper = ask.scope[KEEPER]
    return keeper


def _meters(ask: Ask) -> Meters:
    meters: Meters = ask.scope[KEY]
    return meters

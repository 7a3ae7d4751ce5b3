"""Who is asking: from a request to an actor."""

from collections.abc import Awaitable, Callable

from starlette.types import Scope

from rota.core.actor import OPERATOR, Actor, KeyKind
from rota.core.errors import Unauthorized
from rota.http.address import peer_of
from rota.ops.context import Rota
from rota.ops.keys import USE_NOTED_EACH, find_actor, note_use
from rota.ops.secrets import hash_secret

Authenticate = Callable[[Scope], Awaitable[Actor]]

# A key is looked up once in this time, unless rights have changed; one that is revoked stops working within it at the latest.
KEPT_S = 1.0
MOST_KEPT = 1000


async def as_operator(_scope: Scope) -> Actor:
    """For the control socket: only the owner of the data directory can open it."""
    return OPERATOR


def by_bearer(rota: Rota, kind: KeyKind) -> Authenticate:
    """Actors by `Authorization: Bearer <key>`. Raises Unauthorized without telling what was wrong with a key."""
    return by_key(rota, kind, bearer_of)


def by_key(rota: Rota, kind: KeyKind, secret_of: Callable[[Scope], str]) -> Authenticate:
    """Actors by the key that `secret_of` finds in a request; it raises Unauthorized where there is none."""
    kept: dict[str, tuple[float, int, Actor]] = {}
    noted: dict[str, float] = {}
    rights = rota.bus.rights

    async def authenticate(scope: Scope) -> Actor:
        hashed = hash_secret(secret_of(scope))
        now, changes = rota.clock.monotonic(), rights.changes
        until, seen, actor = kept.get(hashed, (0.0, 0, None))
        if actor is not None and now < until and seen == changes:
            return actor
        kept.pop(hashed, None)
        found = await find_actor(rota, kind, hashed)
        if len(kept) >= MOST_KEPT:
            kept.clear()
            noted.clear()
        kept[hashed] = (now + KEPT_S, changes, found)
        if now >= noted.get(hashed, now):
            noted[hashed] = now + USE_NOTED_EACH.total_seconds()
            await note_use(rota, kind, hashed)
        return found

    return authenticate


def by_first(*ways: Authenticate) -> Authenticate:
    """Whoever one of the ways knows, asked in turn. Raises the Unauthorized of the first if none does."""

    async def authenticate(scope: Scope) -> Actor:
        refusal: Unauthorized | None = None
        for way in ways:
            try:
                return await way(scope)
            except Unauthorized as error:
                refusal = refusal or error
        raise refusal or Unauthorized("nobody is known here")

    return authenticate


def bearer_of(scope: Scope) -> str:
    """The token of the Authorization header (RFC 6750 §2.1). Raises Unauthorized."""
    token = find_bearer(scope)
    if token is None:
        raise Unauthorized("this needs a key", hint="Authorization: Bearer <key>; an operator makes one with rota key add")
    return token


def find_bearer(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return str(token.strip()) or None if scheme.lower() == "bearer" else None
    return None


def is_local(scope: Scope) -> bool:
    """Whether the request comes from this machine, over loopback or the control socket."""
    return peer_of(scope).is_local

"""Who is asking: people by a token that they logged in for, or by a key; shown in one of three ways (contract §2)."""

from urllib.parse import parse_qs

from starlette.types import Scope

from rota.core.actor import Actor
from rota.core.errors import Unauthorized
from rota.http.auth import Authenticate, by_key
from rota.ops.context import Rota
from rota.ops.secrets import PREFIXES
from rota.surfaces.fylr.tokens import TokenKeeper

# Those that browsers overwrite have the second for it. The first that is there counts.
HEADERS = (b"authorization", b"x-fylr-authorization")
PARAMETER = "access_token"


def by_token(rota: Rota, keeper: TokenKeeper) -> Authenticate:
    """Raises Unauthorized without telling what was wrong with a token."""

    known = by_key(rota, "fylr", lambda scope: find_token(scope) or "")

    async def authenticate(scope: Scope) -> Actor:
        token = find_token(scope)
        if token is None:
            raise Unauthorized("this needs a token")
        if token.startswith(PREFIXES["fylr"]):
            return await known(scope)
        return (await keeper.read(token)).actor

    return authenticate


def find_token(scope: Scope) -> str | None:
    headers = dict(scope["headers"])
    for name in HEADERS:
        scheme, _, token = headers.get(name, b"").decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return str(token.strip())
    try:
        given = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=100).get(PARAMETER)
    except ValueError:
        return None
    return given[0] if given else None

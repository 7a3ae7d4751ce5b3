"""The token endpoint: OAuth 2 by password and by refresh token (RFC 6749, RFC 7009)."""

import base64
import binascii
from urllib.parse import unquote

from rota.core.errors import RotaError, Throttled, Unauthorized
from rota.http.address import peer_of
from rota.http.errors import Headers
from rota.http.reply import Reply, encode, ok
from rota.http.routes import Ask
from rota.ops import users
from rota.surfaces.fylr import wire
from rota.surfaces.fylr.tokens import TokenKeeper

KEEPER = "rota.fylr.keeper"
# The one client that is built in; it is public, so that a secret of it means nothing.
CLIENT = "web-client"
SCOPES = ("read", "write", "openid", "offline")
DEFAULT_SCOPES = ["read", "write"]


class Declined(RotaError):
    """A refusal by a code of RFC 6749 §5.2."""

    code = "declined"

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


async def create_token(ask: Ask) -> Reply:
    form: wire.TokenForm = ask.body
    _check_client(ask, form)
    match form.grant_type:
        case "password":
            return ok(await _by_password(ask, form))
        case "refresh_token":
            return ok(await _by_refresh_token(ask, form))
        case None | "":
            raise Declined("invalid_request", "grant_type is missing")
        case _:
            raise Declined("unsupported_grant_type", "grant_type is password or refresh_token here")


async def revoke_token(ask: Ask) -> Reply:
    form: wire.TokenForm = ask.body
    if form.token:
        await _keeper(ask).revoke(form.token)
    return ok({})


async def _by_password(ask: Ask, form: wire.TokenForm) -> wire.Tokens:
    if form.username is None or form.password is None:
        raise Declined("invalid_request", "username and password are needed")
    keeper, address = _keeper(ask), peer_of(ask.scope).address
    keeper.failures.take(address)
    try:
        user = await users.log_in(ask.rota, form.username, form.password)
    except Unauthorized:
        raise Declined("invalid_grant", "the username or the password is wrong") from None
    keeper.failures.give_back(address)
    return await keeper.issue(user, _scopes(form))


async def _by_refresh_token(ask: Ask, form: wire.TokenForm) -> wire.Tokens:
    if form.refresh_token is None:
        raise Declined("invalid_request", "refresh_token is missing")
    try:
        return await _keeper(ask).refresh(form.refresh_token)
    except Unauthorized:
        raise Declined("invalid_grant", "the refresh token is not good, or was used before") from None


def render(error: RotaError, status: int, headers: Headers) -> Reply:
    if isinstance(error, Declined):
        return _told(400, error.name, error.message, headers)
    if isinstance(error, Throttled):
        return _told(429, "temporarily_unavailable", error.message, headers)
    if status >= 500:
        return _told(status, "server_error", error.message, headers)
    return _told(status if status in (404, 405, 413) else 400, "invalid_request", error.message, headers)


def _told(status: int, name: str, message: str, headers: Headers) -> Reply:
    return Reply(status, encode(wire.OAuthError(name, message)), headers=headers)


def _check_client(ask: Ask, form: wire.TokenForm) -> None:
    given = form.client_id or _basic_client(ask)
    if not given:
        raise Declined("invalid_request", "client_id is missing")
    if given != CLIENT:
        raise Declined("invalid_client", f"the one client here is {CLIENT}")


def _basic_client(ask: Ask) -> str | None:
    """The id of a client that shows itself by HTTP Basic (RFC 6749 §2.3.1)."""
    scheme, _, shown = (ask.header(b"authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, _ = base64.b64decode(shown, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return unquote(name)


def _scopes(form: wire.TokenForm) -> list[str]:
    """Those we know, each once; they are labels and limit nothing."""
    asked = dict.fromkeys((form.scope or "").split())
    return [scope for scope in SCOPES if scope in asked] or DEFAULT_SCOPES


def _keeper(ask: Ask) -> TokenKeeper:
    keeper: TokenKeeper = ask.scope[KEEPER]
    return keeper

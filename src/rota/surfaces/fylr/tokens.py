"""Access and refresh tokens of people who log in (contract §2)."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from rota.core.errors import Unauthorized
from rota.http.tokens import Tokens
from rota.ops.context import Rota
from rota.ops.limiter import Limiter
from rota.ops.revocations import revoke_token, use_up
from rota.store import revocations, settings, users
from rota.store.database import Connection
from rota.store.users import User
from rota.surfaces.fylr import wire

ISSUER, AUDIENCE = "rota", "fylr"
KEY_SETTING = "fylr_token_key"
KEY_BYTES = 48
ACCESS_S = 86_400
REFRESH_S = 30 * 86_400
# Wrong passwords from one address.
MOST_FAILURES, FAILURES_S = 20, 60.0
OFFLINE = "offline"
NOT_GOOD = "this token is not good here, or was taken back"


class TokenKeeper:
    """Issues and reads the tokens of one server, by a key that is made once for the life of the database.

    A refresh token is good for one use; it and all that came of its login are one family, and go together when it is used
    again or taken back: one of its two users is not who logged in.
    """

    def __init__(self, rota: Rota) -> None:
        self._rota = rota
        self._tokens: Tokens | None = None
        self._lock = asyncio.Lock()
        self.failures = Limiter(rota.clock, MOST_FAILURES, FAILURES_S)

    async def issue(self, user: User, scopes: list[str], family: str | None = None) -> wire.Tokens:
        tokens = await self._keeper()
        facts = {"scope": " ".join(scopes), "family": family or secrets.token_hex(16)}
        refresh = tokens.issue(user.id, REFRESH_S, type="refresh", **facts) if OFFLINE in scopes else None
        told = wire.Tokens(
            access_token=tokens.issue(user.id, ACCESS_S, type="access", **facts), expires_in=ACCESS_S, scope=facts["scope"]
        )
        if refresh is not None:
            told.refresh_token = refresh
        return told

    async def read(self, token: str) -> User:
        """Whose access token that is. Raises Unauthorized."""
        claims = (await self._keeper()).read(token)

        def read(c: Connection) -> User | None:
            is_revoked = any(revocations.is_revoked(c, str(claims.get(name))) for name in ("jti", "family"))
            return None if is_revoked else users.find_user(c, str(claims["sub"]))

        user = await self._rota.database.read(read)
        if user is None or claims.get("type") != "access":
            raise Unauthorized(NOT_GOOD)
        return user

    async def refresh(self, token: str) -> wire.Tokens:
        """New tokens for a refresh token, which is used up by it. Raises Unauthorized."""
        claims = (await self._keeper()).read(token)
        if claims.get("type") != "refresh":
            raise Unauthorized(NOT_GOOD)
        family = str(claims["family"])
        if not await use_up(self._rota, claims["jti"], _expiry(claims)):
            await self._end_family(family, str(claims["sub"]))
            raise Unauthorized(NOT_GOOD)

        def read(c: Connection) -> User | None:
            return None if revocations.is_revoked(c, family) else users.find_user(c, str(claims["sub"]))

        user = await self._rota.database.read(read)
        if user is None:
            raise Unauthorized(NOT_GOOD)
        return await self.issue(user, str(claims["scope"]).split(), family)

    async def revoke(self, token: str) -> None:
        """From now on; with a refresh token all that came of its login. No error for one that is not known."""
        try:
            claims = (await self._keeper()).read(token)
        except Unauthorized:
            return
        if claims.get("type") == "refresh":
            await self._end_family(str(claims["family"]), str(claims["sub"]))
        else:
            await revoke_token(self._rota, claims["jti"], _expiry(claims), str(claims["sub"]))

    async def _end_family(self, family: str, user_id: str) -> None:
        """For as long as the youngest of it may be good."""
        until = self._rota.clock.now() + timedelta(seconds=REFRESH_S)
        await revoke_token(self._rota, family, until, user_id)

    async def _keeper(self) -> Tokens:
        async with self._lock:
            if self._tokens is None:
                made = secrets.token_urlsafe(KEY_BYTES)
                key = await self._rota.database.write(lambda c: settings.insert_setting(c, KEY_SETTING, made))
                self._tokens = Tokens(key.encode(), self._rota.clock, issuer=ISSUER, audience=AUDIENCE)
            return self._tokens


def _expiry(claims: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(claims["exp"]), UTC)

"""JSON Web Tokens (RFC 7519) signed by HS256: sessions that need no look-up to be believed."""

import secrets
from typing import Any

from rota.clock import Clock
from rota.core.errors import Unauthorized

ALGORITHM = "HS256"
# What every token of ours has; another one is not ours.
CLAIMS = ("iss", "aud", "sub", "iat", "exp", "jti")
LONGEST = 4096


class Tokens:
    """Issues and reads the tokens of one issuer for one audience. Whether one was revoked is asked of `ops.revocations`."""

    def __init__(self, key: bytes, clock: Clock, *, issuer: str, audience: str) -> None:
        self._key = key
        self._clock = clock
        self._issuer = issuer
        self._audience = audience

    def issue(self, subject: str, lifetime_s: float, **claims: Any) -> str:
        import jwt

        now = int(self._clock.now().timestamp())
        standard = {"iss": self._issuer, "aud": self._audience, "sub": subject, "iat": now, "exp": now + int(lifetime_s)}
        return jwt.encode({**claims, **standard, "jti": secrets.token_hex(16)}, self._key, ALGORITHM)

    def read(self, token: str) -> dict[str, Any]:
        """The claims. Raises Unauthorized, without telling more than that it has expired."""
        import jwt

        # Moments are compared below: with our clock, not with the library's.
        options: Any = {"require": list(CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False}
        try:
            if len(token) > LONGEST:
                raise jwt.InvalidTokenError
            claims: dict[str, Any] = jwt.decode(
                token, self._key, [ALGORITHM], options=options, audience=self._audience, issuer=self._issuer
            )
            expires = int(claims["exp"])
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            raise Unauthorized("this token is not known here", hint="log in again") from None
        if expires <= self._clock.now().timestamp():
            raise Unauthorized("this token has expired", hint="log in again")
        return claims

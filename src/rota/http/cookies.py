"""Cookies (RFC 6265): reading one, writing one."""

from starlette.types import Scope


def find_cookie(scope: Scope, name: str) -> str | None:
    """The first cookie of that name: the one with the longest path."""
    for key, value in scope["headers"]:
        if key == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                found, _, text = pair.partition("=")
                if found.strip() == name:
                    return str(text.strip().strip('"'))
    return None


def cookie(name: str, value: str, *, path: str, max_age_s: int, secure: bool) -> str:
    """A Set-Cookie value that no script can read and no other site can send. `max_age_s` 0 takes the cookie away."""
    return f"{name}={value}; Path={path}; Max-Age={max_age_s}; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")

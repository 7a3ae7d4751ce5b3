"""Keeps other sites from using a session that a browser sends by itself."""

from urllib.parse import urlsplit

from starlette.types import Scope

from rota.core.errors import Forbidden
from rota.http.address import peer_of

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
PORTS = {"http": ":80", "https": ":443"}


def check_same_origin(scope: Scope, *, told: bool = True) -> None:
    """Raises Forbidden if a request that changes something was not sent by a page of this server, as its Origin or, without
    one, its Referer tells. `told` false: a request with neither header, which no browser makes, may pass."""
    if scope["method"] in SAFE:
        return
    headers = dict(scope["headers"])
    origin = headers.get(b"origin") or headers.get(b"referer")
    if origin is None and not told:
        return
    if origin is None or not _is_ours(origin.decode("latin-1"), peer_of(scope).host):
        raise Forbidden(
            "this was sent by another site", hint="send an Origin that equals Host, or a Bearer token instead of a cookie"
        )


def _is_ours(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    port = PORTS.get(parts.scheme)
    if port is None or not host:
        return False
    return parts.netloc.lower().removesuffix(port) == host.lower().removesuffix(port)

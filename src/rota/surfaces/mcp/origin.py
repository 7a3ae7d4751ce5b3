"""Keeps pages of other sites from using a browser's way to this machine (DNS rebinding)."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import Scope

from rota.core.errors import Forbidden
from rota.http.address import peer_of


def check_origin(scope: Scope, external_url: str | None) -> None:
    """Raises Forbidden for a page that is neither of this machine nor of `external_url`, and for a request from this machine
    that came by a name which is not this machine's.

    A browser names the page in `Origin` with every POST; a name that was made to point here stays in `Host`.
    """
    peer, ours = peer_of(scope), urlsplit(external_url or "")
    origin = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)
    if (
        origin is not None
        and not _is_loopback(_host(origin))
        and not (ours.netloc and origin == f"{ours.scheme}://{ours.netloc}")
    ):
        raise Forbidden("pages of other sites may not use this", hint="set [daemon] external_url to the address of this server")
    if peer.is_local and not _is_loopback(host := _host(f"//{peer.host}")) and host != ours.hostname:
        raise Forbidden("this server has another name", hint="ask for localhost, or set [daemon] external_url")


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False

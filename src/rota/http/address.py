"""Where a request comes from, and by which name the server was asked: through trusted proxies, and through no others."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEY = "rota.peer"
UNKNOWN = "unknown"
FORWARDED = (b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"forwarded", b"x-real-ip")
HSTS = (b"strict-transport-security", b"max-age=31536000")

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]


class Peer(Struct, frozen=True):
    """Who is at the other end.

    address   of the client as far as it can be trusted; None for the control socket
    is_https  the client speaks to us, or to a trusted proxy, over TLS
    host      the name we were asked by, with its port if one was given
    is_local  it is a process of this machine; what any proxy passed on is so only if a trusted one says so
    """

    address: str | None
    is_https: bool
    host: str
    is_local: bool


def behind_proxies(app: ASGIApp, trusted: Sequence[str]) -> ASGIApp:
    """The app, told of each request where it really comes from. `trusted`: networks whose forwarded headers count."""
    networks = [ip_network(network) for network in trusted]

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        peer = find_peer(scope, networks)
        if peer.address is None:  # a connection that broke already; it must not pass for the control socket
            peer = Peer(UNKNOWN, peer.is_https, peer.host, is_local=False)
        scope[KEY] = peer
        await app(scope, receive, _with_hsts(send) if peer.is_https else send)

    return serve


def peer_of(scope: Scope) -> Peer:
    """The peer of a request; without `behind_proxies` around the app no proxy is trusted."""
    peer = scope.get(KEY)
    return peer if isinstance(peer, Peer) else find_peer(scope, ())


def base_url(scope: Scope, external_url: str | None = None) -> str:
    """How the asker reaches this server, without a slash at the end; what the operator says of that comes first."""
    peer = peer_of(scope)
    return (external_url or f"{'https' if peer.is_https else 'http'}://{peer.host or 'localhost'}").rstrip("/")


def find_peer(scope: Scope, trusted: Networks) -> Peer:
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1")
    is_https = scope.get("scheme") == "https"
    client = scope.get("client")
    if client is None or not client[0]:
        return Peer(None, is_https, host, is_local=True)
    address = _parse(client[0])
    if address is None or not _is_in(address, trusted):
        is_direct = not any(name in headers for name in FORWARDED)
        return Peer(client[0], is_https, host, is_local=is_direct and address is not None and address.is_loopback)
    return _forwarded(headers, address, trusted, Peer(str(address), is_https, host, is_local=False))


def _forwarded(headers: dict[bytes, bytes], proxy: Address, trusted: Networks, direct: Peer) -> Peer:
    """What a trusted proxy says. Each proxy adds to the right, so the client is the first from there that is none of them."""
    named = _last(headers, b"x-forwarded-host")
    scheme = _last(headers, b"x-forwarded-proto")
    is_https = scheme.lower() == "https" if scheme else direct.is_https
    hops = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
    client, is_plain = proxy, not any(name in headers for name in FORWARDED)
    for hop in reversed(hops):
        found = _parse(hop.strip())
        if found is None:
            break
        client = found
        if not _is_in(found, trusted):
            return Peer(str(client), is_https, named or direct.host, is_local=found.is_loopback)
    return Peer(str(client), is_https, named or direct.host, is_local=is_plain and client.is_loopback)


def _last(headers: dict[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1").rpartition(",")[2].strip()


# It is asked with each request, and a client sends many.
@lru_cache(maxsize=1024)
def _parse(text: str) -> Address | None:
    bare = text.partition("]")[0].strip("[") if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_in(address: Address, networks: Networks) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _with_hsts(send: Send) -> Send:
    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], HSTS]}
        await send(message)

    return send_with_header

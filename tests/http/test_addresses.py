"""Where a request comes from."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from rota.http.address import Peer, behind_proxies, peer_of

TRUSTED = ("10.0.0.0/8",)
PROXY, CLIENT, OTHER = "10.0.0.2", "203.0.113.9", "198.51.100.7"


def ask(client: str | None, **headers: str) -> tuple[Peer, list[Message]]:
    sent: list[Message] = []
    seen: list[Peer] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(peer_of(scope))
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "rota.example", **headers}.items()]
    scope: dict[str, Any] = {"type": "http", "scheme": "http", "headers": pairs, "client": client and (client, 1)}

    async def serve() -> None:
        await behind_proxies(app, TRUSTED)(scope, receive, send)

    asyncio.run(serve())
    return seen[0], sent


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        (CLIENT, None, CLIENT),
        (CLIENT, OTHER, CLIENT),  # not a proxy of ours
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"{OTHER}, {CLIENT}", CLIENT),  # what the client itself claims stands further left
        (PROXY, f"127.0.0.1, {CLIENT}, 10.1.1.1", CLIENT),
        (PROXY, "10.1.1.1", "10.1.1.1"),
        (PROXY, "nonsense", PROXY),
        (PROXY, f"nonsense, {CLIENT}", CLIENT),
        (PROXY, f"{CLIENT}:5123", CLIENT),
        (PROXY, "[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:10.0.0.2", CLIENT, CLIENT),
        (PROXY, None, PROXY),
    ],
)
def test_only_trusted_proxies_say_who_the_client_is(client: str, forwarded: str | None, address: str) -> None:
    headers = {} if forwarded is None else {"x_forwarded_for": forwarded}
    assert ask(client, **headers)[0].address == address


@pytest.mark.parametrize(
    ("client", "headers", "is_local"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("127.0.0.1", {"x_forwarded_for": CLIENT}, False),
        ("127.0.0.1", {"forwarded": f"for={CLIENT}"}, False),
        ("127.0.0.1", {"x_real_ip": "127.0.0.1"}, False),
        (PROXY, {"x_forwarded_for": "127.0.0.1"}, True),
        (PROXY, {"x_forwarded_for": CLIENT}, False),
        (PROXY, {}, False),
        (CLIENT, {"x_forwarded_for": "127.0.0.1"}, False),
    ],
)
def test_what_an_unknown_proxy_passes_on_is_not_of_this_machine(client: str, headers: dict[str, str], is_local: bool) -> None:
    assert ask(client, **headers)[0].is_local is is_local


def test_a_connection_without_address_is_not_taken_for_the_control_socket() -> None:
    peer, _ = ask(None)
    assert (peer.address, peer.is_local) == ("unknown", False)


def test_tls_and_name_are_believed_of_a_trusted_proxy_alone() -> None:
    told = {"x_forwarded_for": CLIENT, "x_forwarded_proto": "https", "x_forwarded_host": "tasks.example"}
    peer, sent = ask(PROXY, **told)
    assert (peer.is_https, peer.host) == (True, "tasks.example")
    assert dict(sent[0]["headers"])[b"strict-transport-security"]
    peer, sent = ask(CLIENT, **told)
    assert (peer.is_https, peer.host) == (False, "rota.example")
    assert sent[0]["headers"] == []

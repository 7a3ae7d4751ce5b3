"""Who comes in to RunWisp's API, and how."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.asking import HandClock
from tests.surfaces.runwisp.serving import described

from rota.core.ulid import from_ulid
from rota.http.address import behind_proxies
from rota.ops import runs as asked_runs
from rota.ops.context import Rota
from rota.ops.door import Door
from rota.store import runs
from rota.surfaces import runwisp
from rota.surfaces.runwisp import auth

T = TypeVar("T")
PASSWORD = "correct horse"
URL = "http://localhost:9477"
OURS = {"Origin": URL}
READ, CHANGE = ("GET", "/api/tasks"), ("POST", "/api/auth/launch-ticket")


@asynccontextmanager
async def network(rota: Rota, client: str = "192.0.2.1", prefix: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Someone on the network; a trusted proxy has 10.0.0.1."""
    app = _under(prefix, runwisp.app(rota))
    transport = httpx.ASGITransport(behind_proxies(app, ("10.0.0.1",)), client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url=URL) as asker:
        yield asker


@asynccontextmanager
async def control_socket(rota: Rota) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(runwisp.control_app(rota), client=("", 0))
    async with httpx.AsyncClient(transport=transport, base_url=URL) as asker:
        yield asker


def _under(prefix: str, app: ASGIApp) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "root_path": prefix, "path": prefix + scope["path"]}, receive, send)

    return serve


@pytest.fixture
def rota(rota: Rota) -> Rota:
    rota.door = Door(rota.clock, PASSWORD)
    rota.door._key = b"k" * 32  # deriving it is tested with the door
    rota.info = {"data_dir": "/srv/rota", "config": "/srv/runwisp.toml"}
    return rota


def ask(rota: Rota, question: Callable[[httpx.AsyncClient], Awaitable[T]], **where: Any) -> T:
    async def run() -> T:
        async with network(rota, **where) as asker:
            return await question(asker)

    return asyncio.run(run())


async def log_in(asker: httpx.AsyncClient, password: str = PASSWORD) -> httpx.Response:
    nonce = (await asker.get("/api/auth/challenge")).json()["nonce"]
    answer = hashlib.pbkdf2_hmac("sha256", password.encode(), nonce.encode(), 600_000, 32).hex()
    return await asker.post("/api/auth", json={"nonce": nonce, "response": answer})


async def new_token(rota: Rota) -> str:
    return (await auth.tokens_of(rota)).issue("runwisp", auth.SESSION_S)


def test_login_gives_a_token_and_a_cookie_for_a_day(rota: Rota) -> None:
    async def talk(asker: httpx.AsyncClient) -> None:
        assert (await asker.get("/api/auth/status")).json() == {"auth_required": True, "authenticated": False}
        reply = await log_in(asker)
        assert reply.status_code == 200
        token = reply.json()["token"]
        wanted = f"runwisp_jwt={token}; Path=/api/; Max-Age=86400; HttpOnly; SameSite=Strict"
        assert reply.headers["set-cookie"] == wanted
        claims = (await auth.tokens_of(rota)).read(token)
        assert (claims["iss"], claims["aud"], claims["exp"] - claims["iat"]) == ("runwisp", "runwisp-api", 86400)
        assert (await asker.get("/api/auth/status")).json() == {"auth_required": True, "authenticated": True}
        assert (await asker.get("/api/tasks")).status_code == 200
        assert isinstance(rota.clock, HandClock)
        rota.clock.advance(auth.SESSION_S)
        assert (await asker.get("/api/tasks")).status_code == 401

    ask(rota, talk)


def test_a_wrong_password_is_refused_and_the_sixth_try_waits(rota: Rota) -> None:
    async def talk(asker: httpx.AsyncClient) -> list[httpx.Response]:
        bad = {"nonce": "0" * 64, "response": "0" * 64}
        return [await asker.post("/api/auth", json=bad) for _ in range(6)]

    replies = ask(rota, talk)
    assert [reply.status_code for reply in replies] == [401] * 5 + [429]
    assert int(replies[-1].headers["retry-after"]) == 300
    assert {reply.headers["content-type"] for reply in replies} == {"application/problem+json"}


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"nonce": 1, "response": ""}', b"{" + b" " * 2000 + b"}"])
def test_a_login_that_is_none_is_refused(rota: Rota, body: bytes) -> None:
    reply = ask(rota, lambda asker: asker.post("/api/auth", content=body, headers={"content-type": "application/json"}))
    assert reply.status_code in (400, 413)


COOKIE, BEARER, BOTH, NONE = "cookie", "bearer", "both", "none"
# who, request, headers -> status. Three actors: without a session, with one, and over the control socket (below).
TABLE = [
    (NONE, READ, {}, 401),
    (NONE, CHANGE, OURS, 401),
    (COOKIE, READ, {}, 200),
    (COOKIE, READ, {"Origin": "http://evil.example"}, 200),
    (COOKIE, CHANGE, {}, 403),
    (COOKIE, CHANGE, {"Origin": "http://evil.example"}, 403),
    (COOKIE, CHANGE, {"Referer": "http://evil.example/"}, 403),
    (COOKIE, CHANGE, {"Origin": "null"}, 403),
    (COOKIE, CHANGE, OURS, 200),
    (COOKIE, CHANGE, {"Referer": f"{URL}/runs"}, 200),
    (BEARER, READ, {}, 200),
    (BEARER, CHANGE, {}, 200),
    (BEARER, CHANGE, {"Origin": "http://evil.example"}, 200),
    (BOTH, CHANGE, {}, 200),
]


@pytest.mark.parametrize(("kind", "request_", "headers", "status"), TABLE)
def test_who_may_do_what_from_where(
    rota: Rota, kind: str, request_: tuple[str, str], headers: dict[str, str], status: int
) -> None:
    async def talk(asker: httpx.AsyncClient) -> int:
        token = await new_token(rota)
        sent = dict(headers)
        if kind in (COOKIE, BOTH):
            sent["Cookie"] = f"runwisp_jwt={token}"
        if kind in (BEARER, BOTH):
            sent["Authorization"] = f"Bearer {token}"
        return (await asker.request(*request_, headers=sent)).status_code

    assert ask(rota, talk) == status


def test_a_run_of_a_session_was_started_over_the_api_and_not_at_the_machine(
    rota: Rota, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked_runs, "ADMISSION_S", 0.01)  # nobody is there to judge it

    async def talk() -> None:
        async with described(rota, tmp_path, "[tasks.t]\nrun = 'true'\n", auth.RUNWISP) as place:
            run = await place.post("/api/tasks/t/run")
        assert rota.database.run(lambda c: runs.get_run(c, from_ulid(run["id"]))).trigger == "api"

    asyncio.run(talk())


@pytest.mark.parametrize("header", ["Bearer x", "Bearer ", "Basic eDp5"])
def test_a_bad_token_is_nobody_even_beside_a_good_cookie(rota: Rota, header: str) -> None:
    async def talk(asker: httpx.AsyncClient) -> int:
        return (await asker.get("/api/tasks", headers={"Authorization": header})).status_code

    assert ask(rota, talk) == 401


def test_the_control_socket_needs_no_session(rota: Rota) -> None:
    async def talk() -> list[int]:
        async with control_socket(rota) as asker:
            return [(await asker.request(*what)).status_code for what in (READ, CHANGE)]

    assert asyncio.run(talk()) == [200, 200]


def test_without_authentication_everyone_comes_in_but_no_other_site(rota: Rota) -> None:
    rota.door = Door(rota.clock, is_open=True)

    async def talk(asker: httpx.AsyncClient) -> list[Any]:
        evil = {"Origin": "http://evil.example"}
        return [
            (await asker.get("/api/auth/status")).json(),
            (await asker.request(*READ)).status_code,
            (await asker.request(*CHANGE)).status_code,
            (await asker.request(*CHANGE, headers=evil)).status_code,
        ]

    assert ask(rota, talk) == [{"auth_required": False, "authenticated": True}, 200, 200, 403]


def test_another_password_ends_all_sessions(rota: Rota) -> None:
    async def talk() -> list[int]:
        token = await new_token(rota)
        headers = {"Authorization": f"Bearer {token}"}
        async with network(rota) as before:
            first = (await before.get("/api/tasks", headers=headers)).status_code
        rota.door = Door(rota.clock, "another")
        async with network(rota) as after:
            return [first, (await after.get("/api/tasks", headers=headers)).status_code]

    assert asyncio.run(talk()) == [200, 401]


def test_a_session_can_be_ended_for_good(rota: Rota) -> None:
    async def talk(asker: httpx.AsyncClient) -> list[Any]:
        headers = {"Authorization": f"Bearer {await new_token(rota)}"}
        reply = await asker.post("/api/auth/logout", headers=headers)
        async with network(rota) as later:
            return [reply.status_code, "Max-Age=0" in reply.headers["set-cookie"],
                    (await later.get("/api/tasks", headers=headers)).status_code]  # fmt: skip

    assert ask(rota, talk) == [204, True, 401]


def test_a_launch_opens_a_session_once_and_leads_on(rota: Rota) -> None:
    async def talk(asker: httpx.AsyncClient) -> None:
        async with control_socket(rota) as local:
            ticket = (await local.post("/api/auth/launch-ticket")).json()["ticket"]
        query = {"ticket": ticket, "redirect": "/tasks/nightly?tab=runs#top"}
        first = await asker.get("/api/auth/launch", params=query)
        assert (first.status_code, first.headers["location"]) == (303, "/tasks/nightly?tab=runs#top")
        assert (await asker.get("/api/tasks")).status_code == 200
        assert (await asker.get("/api/auth/launch", params=query)).status_code == 401

    ask(rota, talk)


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "http://evil.example", "evil", "/\t/evil.example", "/a\nb", "\\\\evil", "/a\\b"],
)
def test_a_launch_leads_nowhere_else_and_keeps_the_ticket(rota: Rota, target: str) -> None:
    ticket = asyncio.run(rota.door.tickets.issue())
    reply = ask(rota, lambda asker: asker.get("/api/auth/launch", params={"ticket": ticket, "redirect": target}))
    assert (reply.status_code, "set-cookie" in reply.headers) == (400, False)
    assert asyncio.run(rota.door.tickets.use(ticket))


def test_failed_launches_count_as_failed_logins(rota: Rota) -> None:
    async def talk(asker: httpx.AsyncClient) -> list[int]:
        return [(await asker.get("/api/auth/launch", params={"ticket": "x"})).status_code for _ in range(6)]

    assert ask(rota, talk) == [401] * 5 + [429]


def test_addresses_behind_a_trusted_proxy_are_counted_each_for_itself(rota: Rota) -> None:
    async def talk(asker: httpx.AsyncClient) -> list[int]:
        bad = {"nonce": "0", "response": "0"}
        first, second = ({"X-Forwarded-For": address} for address in ("203.0.113.1", "203.0.113.2"))
        tries = [await asker.post("/api/auth", json=bad, headers=first) for _ in range(6)]
        return [tries[-1].status_code, (await asker.post("/api/auth", json=bad, headers=second)).status_code]

    assert ask(rota, talk, client="10.0.0.1") == [429, 401]
    rota.door = Door(rota.clock, PASSWORD)
    assert ask(rota, talk) == [429, 429]  # who is no proxy of ours cannot choose its address


def test_the_cookie_follows_the_place_and_the_security_of_the_server(rota: Rota) -> None:
    async def talk(asker: httpx.AsyncClient) -> str:
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.1"}
        query = {"ticket": await rota.door.tickets.issue()}
        reply = await asker.get("/api/auth/launch", params=query, headers=headers)
        assert reply.headers["strict-transport-security"]
        assert reply.headers["location"] == "/runwisp/"
        return reply.headers["set-cookie"]

    cookie = ask(rota, talk, client="10.0.0.1", prefix="/runwisp")
    assert "; Path=/runwisp/api/; " in cookie
    assert cookie.endswith("; Secure")


def test_only_the_control_socket_shows_a_random_password(rota: Rota) -> None:
    async def talk() -> list[Any]:
        async with network(rota, client="127.0.0.1") as near, control_socket(rota) as local:
            path = "/api/local/credentials"
            headers = {"Authorization": f"Bearer {await new_token(rota)}"}
            set_by_operator = (await local.get(path)).status_code
            rota.door = Door(rota.clock)
            shown = await local.get(path)
            assert shown.headers["cache-control"] == "no-store"
            assert shown.json() == {"password": rota.door.password, "ephemeral": True}
            return [set_by_operator, (await near.get(path)).status_code, (await near.get(path, headers=headers)).status_code]

    assert asyncio.run(talk()) == [404, 403, 403]


@pytest.mark.parametrize(
    ("client", "host", "status"),
    [
        ("127.0.0.1", "localhost:9477", 200), ("::1", "[::1]:9477", 200), ("127.0.0.1", "127.0.0.1", 200),
        ("127.0.0.1", "evil.example", 403), ("127.0.0.1", "localhost.evil.example:9477", 403), ("192.0.2.1", "localhost", 403),
    ],
)  # fmt: skip
def test_processes_of_the_machine_are_told_which_server_this_is(rota: Rota, client: str, host: str, status: int) -> None:
    reply = ask(rota, lambda asker: asker.get("/api/instance", headers={"Host": host}), client=client)
    assert reply.status_code == status
    if status == 200:
        told = reply.json()
        assert (told["app"], told["socket_path"], len(told["fingerprint"])) == ("runwisp", "/srv/rota/rota.sock", 32)


@pytest.mark.parametrize("path", ["/api/auth/status", "/api/tasks", "/nowhere"])
def test_every_answer_has_the_security_headers(rota: Rota, path: str) -> None:
    headers = ask(rota, lambda asker: asker.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"]
    assert "script-src" not in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert "strict-transport-security" not in headers

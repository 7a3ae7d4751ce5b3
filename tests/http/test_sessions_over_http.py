"""Tokens, cookies, and requests from other sites."""

from typing import Any

import jwt
import pytest
from tests.asking import HandClock

from rota.core.errors import Forbidden, Unauthorized
from rota.http.cookies import cookie, find_cookie
from rota.http.csrf import check_same_origin
from rota.http.tokens import Tokens

KEY = b"k" * 32


def tokens(clock: HandClock, **fields: Any) -> Tokens:
    return Tokens(**{"key": KEY, "clock": clock, "issuer": "rota", "audience": "api", **fields})


def test_a_token_tells_who_until_it_expires() -> None:
    clock = HandClock()
    token = tokens(clock).issue("ana", 60, scopes=["read"])
    clock.advance(59)
    claims = tokens(clock).read(token)
    assert (claims["sub"], claims["scopes"], claims["exp"] - claims["iat"]) == ("ana", ["read"], 60)
    clock.advance(1)
    with pytest.raises(Unauthorized, match="expired"):
        tokens(clock).read(token)


def test_no_two_tokens_have_the_same_id() -> None:
    ours = tokens(HandClock())
    assert ours.read(ours.issue("ana", 60))["jti"] != ours.read(ours.issue("ana", 60))["jti"]


def test_extra_claims_cannot_take_the_place_of_ours() -> None:
    ours = tokens(HandClock())
    assert ours.read(ours.issue("ana", 60, iss="evil", exp=0))["iss"] == "rota"


@pytest.mark.parametrize("other", [{"key": b"x" * 32}, {"issuer": "other"}, {"audience": "other"}])
def test_a_token_of_another_key_issuer_or_audience_is_not_ours(other: dict[str, Any]) -> None:
    clock = HandClock()
    with pytest.raises(Unauthorized):
        tokens(clock).read(tokens(clock, **other).issue("ana", 60))


def _unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "", "none")


FULL = {"iss": "rota", "aud": "api", "sub": "ana", "iat": 0, "exp": 2**40, "jti": "1"}


@pytest.mark.parametrize(
    "token",
    [
        "", "x", "a.b.c", "x" * 5000, _unsigned(FULL), jwt.encode(FULL, KEY * 2, "HS512"),
        jwt.encode({name: value for name, value in FULL.items() if name != "jti"}, KEY, "HS256"),
        jwt.encode({**FULL, "exp": "soon"}, KEY, "HS256"), jwt.encode({**FULL, "exp": None}, KEY, "HS256"), "é.é.é",
    ],
)  # fmt: skip
def test_what_is_no_token_of_ours_is_refused(token: str) -> None:
    with pytest.raises(Unauthorized):
        tokens(HandClock()).read(token)


def scope(method: str = "POST", **headers: str) -> dict[str, Any]:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": method, "headers": pairs, "scheme": "http", "client": ("192.0.2.1", 1)}


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("a=1; rota=tok; b=2", "tok"),
        ("rota=tok", "tok"),
        ('rota="tok"', "tok"),
        ("xrota=1", None),
        ("rota", ""),
        ("a=rota=1", None),
    ],
)
def test_a_cookie_is_found_by_its_whole_name(header: str, value: str | None) -> None:
    assert find_cookie(scope(cookie=header), "rota") == value


def test_a_cookie_is_for_this_site_alone() -> None:
    assert cookie("a", "b", path="/api/", max_age_s=9, secure=True) == (
        "a=b; Path=/api/; Max-Age=9; HttpOnly; SameSite=Strict; Secure"
    )
    assert "Secure" not in cookie("a", "b", path="/", max_age_s=9, secure=False)


SAME = [
    {"origin": "http://rota.example:7682", "host": "rota.example:7682"},
    {"origin": "https://ROTA.example", "host": "rota.example:443"},
    {"origin": "http://rota.example:80", "host": "rota.example"},
    {"referer": "http://rota.example/tasks?x=1", "host": "rota.example"},
]
OTHER = [
    {"host": "rota.example"},
    {"origin": "null", "host": "rota.example"},
    {"origin": "http://evil.example", "host": "rota.example"},
    {"origin": "http://rota.example:81", "host": "rota.example"},
    {"origin": "http://rota.example.evil.example", "host": "rota.example"},
    {"origin": "http://evil.example", "referer": "http://rota.example/", "host": "rota.example"},
    {"origin": "http://rota.example@evil.example", "host": "rota.example"},
    {"referer": "http://evil.example/http://rota.example", "host": "rota.example"},
    {"origin": "http://[", "host": "rota.example"},
    {"origin": "file://", "host": ""},
]


@pytest.mark.parametrize("headers", SAME)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_our_own_pages_may_change_things(headers: dict[str, str], method: str) -> None:
    check_same_origin(scope(method, **headers))


@pytest.mark.parametrize("headers", OTHER)
def test_other_sites_may_not(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        check_same_origin(scope(**headers))
    check_same_origin(scope("GET", **headers))


def test_where_a_sender_need_not_tell_its_origin_a_wrong_one_is_refused_all_the_same() -> None:
    check_same_origin(scope(host="rota.example"), told=False)
    with pytest.raises(Forbidden):
        check_same_origin(scope(origin="http://evil.example", host="rota.example"), told=False)

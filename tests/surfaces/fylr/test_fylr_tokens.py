"""Logging in: grants, expiry, refresh, revocation, refusals (contract §2)."""

import asyncio
from base64 import b64encode
from typing import Any

import httpx
import pytest
from tests.surfaces.fylr.users_asking import PASSWORD, TASK, People, asked, client

from rota.core.actor import OPERATOR
from rota.ops import agents, users
from rota.ops.context import Rota

TOKEN, REVOKE = "/api/oauth2/token", "/api/oauth2/revoke"
DAY_S = 86_400
LOGIN = {"grant_type": "password", "username": "mia", "password": PASSWORD, "client_id": "web-client"}


async def grant(nobody: httpx.AsyncClient, status: int = 200, **fields: str | None) -> dict[str, Any]:
    given = {name: value for name, value in {**LOGIN, **fields}.items() if value is not None}
    reply = await nobody.post(TOKEN, data=given)
    assert reply.status_code == status, reply.text
    assert reply.headers["cache-control"] == "no-store"
    told: dict[str, Any] = reply.json()
    return told


async def refresh(nobody: httpx.AsyncClient, token: str, status: int = 200) -> dict[str, Any]:
    return await grant(nobody, status, grant_type="refresh_token", refresh_token=token, username=None, password=None)


async def may_ask(who: People, token: str) -> bool:
    status = (await who.nobody.get(TASK, headers={"Authorization": f"Bearer {token}"})).status_code
    assert status in (200, 401)
    return status == 200


async def add_mia(rota: Rota) -> None:
    await users.add_user(rota, OPERATOR, "mia", rights=["system.task"], password=PASSWORD)


def test_a_password_gives_a_token_for_a_day(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await add_mia(rota)
        told = await grant(who.nobody)
        assert told == {"access_token": told["access_token"], "token_type": "bearer", "expires_in": DAY_S, "scope": "read write"}
        assert await may_ask(who, told["access_token"])
        rota.clock.advance(DAY_S - 1)  # type: ignore[attr-defined]
        assert await may_ask(who, told["access_token"])
        rota.clock.advance(1)  # type: ignore[attr-defined]
        assert not await may_ask(who, told["access_token"])

    asked(rota, talk)


def test_offline_gives_a_refresh_token_that_is_good_once(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await add_mia(rota)
        first = await grant(who.nobody, scope="offline openid write nonsense write")
        assert first["scope"] == "write openid offline"
        assert not await may_ask(who, first["refresh_token"])
        second = await refresh(who.nobody, first["refresh_token"])
        assert second.keys() == first.keys()
        assert second["scope"] == first["scope"]
        assert await may_ask(who, first["access_token"])
        assert await may_ask(who, second["access_token"])
        refused = await refresh(who.nobody, first["refresh_token"], 400)
        assert refused["error"] == "invalid_grant"
        # Two have it, and one of them is a thief: neither goes on.
        assert not await may_ask(who, second["access_token"])
        await refresh(who.nobody, second["refresh_token"], 400)
        assert not await may_ask(who, first["access_token"])
        assert await may_ask(who, (await grant(who.nobody))["access_token"])

    asked(rota, talk)


def test_of_two_who_refresh_at_once_one_wins_at_most(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await add_mia(rota)
        token = (await grant(who.nobody, scope="offline"))["refresh_token"]
        data = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "web-client"}
        replies = await asyncio.gather(*(who.nobody.post(TOKEN, data=data) for _ in range(5)))
        assert sorted(reply.status_code for reply in replies)[-4:] == [400] * 4

    asked(rota, talk)


def test_a_refresh_token_lasts_thirty_days_and_access_tokens_refresh_nothing(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await add_mia(rota)
        told = await grant(who.nobody, scope="offline")
        assert (await refresh(who.nobody, told["access_token"], 400))["error"] == "invalid_grant"
        assert (await refresh(who.nobody, "nonsense", 400))["error"] == "invalid_grant"
        rota.clock.advance(30 * DAY_S - 1)  # type: ignore[attr-defined]
        told = await refresh(who.nobody, told["refresh_token"])
        rota.clock.advance(30 * DAY_S)  # type: ignore[attr-defined]
        await refresh(who.nobody, told["refresh_token"], 400)

    asked(rota, talk)


def test_a_token_that_was_taken_back_is_good_no_more_and_a_refresh_token_takes_its_family_along(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await add_mia(rota)
        told, other = await grant(who.nobody, scope="offline"), await grant(who.nobody)
        for token in ("nonsense", "", told["access_token"], told["access_token"]):
            reply = await who.nobody.post(REVOKE, data={"token": token})
            assert (reply.status_code, reply.json()) == (200, {})
        assert not await may_ask(who, told["access_token"])
        again = await refresh(who.nobody, told["refresh_token"])
        assert await may_ask(who, again["access_token"])
        await who.nobody.post(REVOKE, data={"token": again["refresh_token"], "token_type_hint": "refresh_token"})
        assert not await may_ask(who, again["access_token"])
        await refresh(who.nobody, again["refresh_token"], 400)
        assert await may_ask(who, other["access_token"])

    asked(rota, talk)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"password": "wrong"}, "invalid_grant"),
        ({"username": "nobody"}, "invalid_grant"),
        ({"username": "paul"}, "invalid_grant"),
        ({"password": ""}, "invalid_grant"),
        ({"username": None}, "invalid_request"),
        ({"password": None}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"client_id": "other"}, "invalid_client"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"username": "a\x00b"}, "invalid_request"),
    ],
)
def test_what_is_wrong_with_a_login_is_told_by_a_code(rota: Rota, fields: dict[str, str | None], error: str) -> None:
    async def talk(who: People) -> None:
        await add_mia(rota)
        refused = await grant(who.nobody, 400, **fields)
        assert refused.keys() == {"error", "error_description"}
        assert refused["error"] == error
        assert PASSWORD not in refused["error_description"]

    asked(rota, talk)


def test_what_is_no_form_is_refused_in_the_same_shape(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for reply, status in (
            (await who.nobody.post(TOKEN, json=LOGIN), 400),
            (await who.nobody.post(TOKEN), 400),
            (await who.nobody.get(TOKEN), 405),
            (await who.nobody.post(f"{TOKEN}/x"), 404),
            (await who.nobody.post(TOKEN, data={**LOGIN, "username": ["a", "b"]}), 400),
        ):
            assert (reply.status_code, reply.json()["error"]) == (status, "invalid_request")

    asked(rota, talk)


def test_the_client_may_show_itself_by_basic_and_its_secret_means_nothing(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await add_mia(rota)
        for shown, status in ((b"web-client:", 200), (b"web-client:x", 200), (b"other:x", 400)):
            headers = {"Authorization": f"Basic {b64encode(shown).decode()}"}
            data = {name: value for name, value in LOGIN.items() if name != "client_id"}
            assert (await who.nobody.post(TOKEN, data=data, headers=headers)).status_code == status
        await grant(who.nobody, client_secret="x")

    asked(rota, talk)


def test_an_agent_does_not_log_in_here(rota: Rota) -> None:
    async def talk(who: People) -> None:
        agent = await agents.add_agent(rota, OPERATOR, "robot", scopes=["admin"])
        await agents.set_secret(rota, OPERATOR, agent.agent_id, PASSWORD)
        assert (await grant(who.nobody, 400, username="robot"))["error"] == "invalid_grant"

    asked(rota, talk)


def test_who_guesses_is_slowed_down_and_who_knows_is_not(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await add_mia(rota)
        for _ in range(25):
            await grant(who.nobody)
        async with client(who.app, address="203.0.113.7") as guesser, client(who.app, address="203.0.113.8") as other:
            for _ in range(20):
                await grant(guesser, 400, password="wrong")
            refused = await guesser.post(TOKEN, data=LOGIN)
            assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
            assert int(refused.headers["retry-after"]) > 0
            await grant(other)
            rota.clock.advance(61)  # type: ignore[attr-defined]
            await grant(guesser)

    asked(rota, talk)


def test_tokens_outlive_a_restart_and_those_of_another_installation_are_none(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await add_mia(rota)
        token = (await grant(who.nobody))["access_token"]
        async with people_again(rota) as again:
            assert (await again.get(TASK, headers={"Authorization": f"Bearer {token}"})).status_code == 200
        head, body, signature = token.split(".")
        for forged in (f"{head}.{body}.{signature[::-1]}", f"{head}.{body}.", body):
            assert not await may_ask(who, forged)

    asked(rota, talk)


def people_again(rota: Rota) -> httpx.AsyncClient:
    """Whoever asks the next server on the same data."""
    from rota.surfaces import fylr

    return client(fylr.app(rota))

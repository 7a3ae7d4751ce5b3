"""Log-in, tokens, and taking them back (contract §2)."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.asking import make_rota
from tests.databases import open_kept
from tests.surfaces.ordinaut.agents_asking import People, asked, client, log_in

from rota.config.secret import Secret
from rota.core.actor import OPERATOR
from rota.ops import agents
from rota.ops.context import Rota
from rota.surfaces import ordinaut


def test_a_token_says_what_it_is_good_for(rota: Rota) -> None:
    async def talk(who: People) -> None:
        told = await log_in(who.nobody, who.owner.id, who.owner.secret)
        assert (told["token_type"], told["expires_in"]) == ("bearer", 3600)
        assert "tasks:create" in told["scope"].split()
        assert set(told) == {"access_token", "refresh_token", "token_type", "expires_in", "scope"}

    asked(rota, talk)


@pytest.mark.parametrize("secret", ["agent_wrong", "", None, "x" * 5000])
def test_a_wrong_secret_and_an_unknown_agent_look_the_same(rota: Rota, secret: str | None) -> None:
    async def talk(who: People) -> None:
        for agent_id in (who.owner.id, "11111111-1111-1111-1111-111111111111", "owner"):
            reply = await who.nobody.post("/agents/auth/token", json={"agent_id": agent_id, "agent_secret": secret})
            assert (reply.status_code, reply.json()["message"]) == (401, "Invalid agent credentials")

    asked(rota, talk)


def test_too_many_wrong_secrets_from_one_address_are_held_up(rota: Rota) -> None:
    async def talk(who: People) -> None:
        wrong = {"agent_id": who.owner.id, "agent_secret": "agent_wrong"}
        async with client(who.app, address="203.0.113.9") as guesser:
            statuses = [(await guesser.post("/agents/auth/token", json=wrong)).status_code for _ in range(11)]
            assert statuses == [401] * 10 + [429]
        assert (await log_in(who.nobody, who.owner.id, who.owner.secret))["access_token"]

    asked(rota, talk)


def test_an_access_token_ends_after_an_hour_and_is_renewed_for_thirty_days(rota: Rota) -> None:
    async def talk(who: People) -> None:
        pair = await log_in(who.nobody, who.owner.id, who.owner.secret)
        rota.clock.advance(3601)  # type: ignore[attr-defined]
        assert (await who.owner.client.get("/tasks")).status_code == 401
        renewed = await who.nobody.post("/agents/auth/refresh", json={"refresh_token": pair["refresh_token"]})
        async with client(who.app, renewed.json()["access_token"]) as owner:
            assert (await owner.get("/tasks")).status_code == 200
        again = await who.nobody.post("/agents/auth/refresh", json={"refresh_token": pair["refresh_token"]})
        assert again.status_code == 200  # the old one stays good
        rota.clock.advance(30 * 86_400)  # type: ignore[attr-defined]
        late = await who.nobody.post("/agents/auth/refresh", json={"refresh_token": pair["refresh_token"]})
        assert late.status_code == 401

    asked(rota, talk)


def test_a_revoked_token_stays_dead_over_a_restart(tmp_path: Path) -> None:
    async def revoke(rota: Rota) -> tuple[str, str]:
        made = await agents.add_agent(rota, OPERATOR, "a", scopes=["tasks:read"])
        async with client(ordinaut.app(rota)) as nobody:
            pair = await log_in(nobody, made.agent_id, made.agent_secret)
            for token in pair["refresh_token"], pair["access_token"], pair["access_token"], "nonsense":
                reply = await nobody.post("/agents/auth/revoke", json={"refresh_token": token})
                assert (reply.status_code, reply.json()["success"]) == (200, True)
        return pair["refresh_token"], pair["access_token"]

    async def ask_again(rota: Rota, refresh: str, access: str) -> None:
        async with client(ordinaut.app(rota), access) as asker:
            assert (await asker.get("/tasks")).status_code == 401
            assert (await asker.post("/agents/auth/refresh", json={"refresh_token": refresh})).status_code == 401

    with closing(open_kept(tmp_path)) as database:
        refresh, access = asyncio.run(revoke(make_rota(database, tmp_path)))
    with closing(open_kept(tmp_path)) as database:
        asyncio.run(ask_again(make_rota(database, tmp_path), refresh, access))


def test_a_refresh_token_is_no_good_once_the_scopes_have_changed(rota: Rota) -> None:
    async def talk(who: People) -> None:
        pair = await log_in(who.nobody, who.other.id, who.other.secret)
        await who.admin.put(f"/agents/{who.other.id}", {"scopes": ["tasks:read"]})
        reply = await who.nobody.post("/agents/auth/refresh", json={"refresh_token": pair["refresh_token"]})
        assert reply.status_code == 401
        assert (await who.other.client.get("/runs")).status_code == 403  # what it may do is looked up, not believed

    asked(rota, talk)


def test_an_access_token_renews_nothing_and_a_foreign_key_signs_nothing(rota: Rota) -> None:
    async def talk(who: People) -> None:
        pair = await log_in(who.nobody, who.owner.id, who.owner.secret)
        reply = await who.nobody.post("/agents/auth/refresh", json={"refresh_token": pair["access_token"]})
        assert reply.status_code == 401
        access = replace(rota.settings.ordinaut, jwt_secret=Secret("k" * 40))
        rota.settings = replace(rota.settings, ordinaut=access)
        async with client(ordinaut.app(rota), pair["access_token"]) as stranger:
            assert (await stranger.get("/tasks")).status_code == 401

    asked(rota, talk)


def test_a_new_secret_takes_the_place_of_the_old(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for body in ("correct horse", {"password": "battery staple"}, {}, None):
            told = await who.admin.post(f"/agents/{who.other.id}/credentials", body)
            await log_in(who.nobody, who.other.id, told["agent_secret"])
        for old in (who.other.secret, "correct horse", "battery staple"):
            reply = await who.nobody.post("/agents/auth/token", json={"agent_id": who.other.id, "agent_secret": old})
            assert reply.status_code == 401
        stored = repr(rota.database.run(lambda c: [*c.rows("SELECT * FROM users"), *c.rows("SELECT * FROM audit")]))
        assert "battery" not in stored

    asked(rota, talk)


def test_the_bare_id_of_an_agent_is_a_token_only_where_the_operator_says_so_and_only_on_this_machine(rota: Rota) -> None:
    async def talk(who: People) -> None:
        rota.settings = replace(rota.settings, ordinaut=replace(rota.settings.ordinaut, legacy_tokens=True))
        app = ordinaut.app(rota)
        async with client(app, who.owner.id) as near, client(app, who.owner.id, "203.0.113.9") as far:
            assert ((await near.get("/tasks")).status_code, (await far.get("/tasks")).status_code) == (200, 401)

    asked(rota, talk)


def test_requests_from_elsewhere_are_limited_per_token(rota: Rota) -> None:
    async def talk(who: People) -> None:
        rota.settings = replace(rota.settings, ordinaut=replace(rota.settings.ordinaut, requests_per_minute=3))
        app = ordinaut.app(rota)
        token = (await log_in(who.nobody, who.owner.id, who.owner.secret))["access_token"]
        async with client(app, token, "203.0.113.9") as far, client(app, token) as near:
            assert [(await far.get("/tasks")).status_code for _ in range(3)] == [200] * 3
            refused = await far.get("/tasks")
            told = refused.json()
            assert (refused.status_code, told["error"], told["details"]) == (429, "RateLimitExceeded", {"limit": "3/minute"})
            assert told["retry_after"] == int(refused.headers["retry-after"]) == 60
            assert {(await near.get("/tasks")).status_code for _ in range(5)} == {200}
            rota.clock.advance(60)  # type: ignore[attr-defined]
            assert (await far.get("/tasks")).status_code == 200

    asked(rota, talk)


def test_the_system_agent_is_made_once(rota: Rota) -> None:
    async def talk(who: People) -> None:
        assert await agents.ensure_system_agent(rota) is None
        told = await who.admin.get(f"/agents/{agents.SYSTEM_ID}")
        assert (told["name"], told["scopes"]) == ("system", ["admin", "system"])

    asked(rota, talk)

"""Who is let in, and what a refusal looks like (contract §2, §9)."""

import pytest
from tests.surfaces.nla.agents_run import People, agent_body, answered, asked, client

from rota.core.actor import OPERATOR
from rota.ops import keys
from rota.ops.context import Rota
from rota.surfaces import SURFACES, mounted

UNKNOWN = "fbc5f047-dde3-4ec9-b8bc-e1cd4ec4a6d7"
REQUESTS = [
    ("GET", "/task"), ("GET", f"/task/{UNKNOWN}"), ("DELETE", f"/task/{UNKNOWN}"), ("POST", "/workflow/movie"),
    ("GET", "/workflow/movie"), ("GET", "/agent"), ("POST", "/agent"), ("GET", "/agent/movie"), ("POST", "/agent/movie"),
    ("DELETE", "/agent/movie"), ("GET", "/nothing"), ("PUT", "/task"), ("GET", ""), ("GET", "/"),
]  # fmt: skip


def test_without_a_key_everything_is_401_before_it_is_anything_else(rota: Rota) -> None:
    async def talk(who: People) -> None:
        native = (await keys.add_key(rota, OPERATOR, "ann", "native")).secret
        good = who.ann.client.headers["apikey"]
        wrong = [
            {},
            {"apikey": ""},
            {"apikey": "  "},
            {"apikey": "wrong"},
            {"apikey": native},
            {"authorization": f"Bearer {good}"},
        ]
        for headers in wrong:
            for method, path in REQUESTS:
                reply = await who.nobody.request(method, f"/api/v1{path}", headers=headers)
                assert answered(reply, 401) == {"message": "Unauthorized. API key is invalid"}
        assert (await who.nobody.get(f"/api/v1/task?apikey={good}")).status_code == 401

    asked(rota, talk)


def test_with_a_key_unknown_paths_are_404_and_other_methods_405(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for path in ("/nothing", "", "/", "/task/", "/task/a/b", "/agent/none", "/workflow/none", f"/task/{UNKNOWN}", "/task/x"):
            await who.ann.get(path, 404)
        reply = await who.ann.client.put("/api/v1/task")
        assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD")
        assert list(reply.json()) == ["message"]
        assert (await who.nobody.get("/elsewhere")).json() == {"message": "there is nothing at this path"}

    asked(rota, talk)


def test_a_key_that_was_taken_back_lets_nobody_in(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await keys.add_key(rota, OPERATOR, "bob", "nla")
        async with client(who.app, APIKEY=made.secret) as bob:
            assert (await bob.get("/api/v1/task")).json() == []
            await keys.revoke_key(rota, OPERATOR, made.id)
            rota.clock.advance(1.1)  # type: ignore[attr-defined]
            assert (await bob.get("/api/v1/task")).status_code == 401

    asked(rota, talk)


@pytest.mark.parametrize(
    "body",
    [{}, {"input": None}, {"input": []}, {"input": "x"}, {"callback": "http://a.example/"}, *(
        {"input": {}, "callback": url}
        for url in (7, "hook", "/hook", "ftp://a.example/", "http://", "http:///x", "http://u:p@a.example/", "http://a b/")
    )],
)  # fmt: skip
def test_a_run_that_cannot_be_understood_is_400(rota: Rota, body: dict[str, object]) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent()
        await who.ann.post("/workflow/movie", body, 400)
        assert await who.ann.get("/task") == []

    asked(rota, talk)


def test_a_body_that_is_too_large_is_413_in_the_same_form(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.ann.post("/agent", agent_body(description="x" * (11 * 1024 * 1024)), 413)

    asked(rota, talk)


def test_it_is_served_under_its_prefix_and_describes_itself(rota: Rota) -> None:
    async def talk(who: People) -> None:
        key = who.ann.client.headers["apikey"]
        async with client(mounted(rota, SURFACES), apikey=key) as ann:
            made = await ann.post("/nla/api/v1/agent", json=agent_body())
            assert made.headers["location"] == "/nla/api/v1/agent/movie"
            run = await ann.post("/nla/api/v1/workflow/movie", json={"input": {}})
            assert run.headers["location"] == f"/nla/api/v1/task/{run.json()['id']}"
            assert (await ann.get("/nla/api/v1/nothing", headers={"apikey": "wrong"})).status_code == 401
            described = (await ann.get("/nla/openapi.json", headers={"apikey": ""})).json()
        assert described["components"]["securitySchemes"]["apikey"] == {"type": "apiKey", "in": "header", "name": "apikey"}
        assert sorted(described["paths"]["/api/v1/agent/{agent_id}"]) == ["delete", "get", "post"]

    asked(rota, talk)

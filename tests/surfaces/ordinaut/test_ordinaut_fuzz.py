"""Whatever is sent, the answer is a refusal in the right shape or a real success."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.surfaces.ordinaut.agents_asking import client, people, task_body

from rota.core.actor import OPERATOR, Actor
from rota.http.routes import Route
from rota.ops import agents
from rota.ops.context import Rota
from rota.surfaces import ordinaut
from rota.surfaces.ordinaut.routes import OWN

BODIES = [route for route in OWN if route.body is not None]
QUERIES = [route for route in OWN if route.query is not None]
WORDS = sorted(
    {name for route in BODIES for name in route.shown_body.__struct_fields__} | {"pipeline", "params", "uses", "with", "if"}
)
TEXT = st.text(max_size=20) | st.sampled_from(
    ["\x00", "cron", "once", "* * * * *", "${", "${a", "FREQ=DAILY", "é" * 300, "9" * 400]
)
NUMBERS = st.integers() | st.floats(allow_nan=False) | st.sampled_from([2**63, -(2**63) - 1, 10**400, 0])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=8,
)
RAW = st.sampled_from([b"", b"{", b"null", b"[]", b'{"a":' * 5000, b'"\\ud800"', b"NaN", b"\xff", b"1e999"])
QUIET = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SHAPE = {"error", "message", "details", "request_id", "timestamp", "detail"}


class Target:
    """One app with a task, an agent, and one who may do everything."""

    def __init__(self, rota: Rota) -> None:
        self.app = ordinaut.app(rota, self._authenticate)
        asyncio.run(self._fill(rota))

    async def _fill(self, rota: Rota) -> None:
        async with people(rota) as who:
            self.task_id, self.agent_id = (await who.owner.task())["id"], who.other.id
            self.admin = (await agents.get_agent(rota, OPERATOR, who.admin.id)).actor

    async def _authenticate(self, _scope: Any) -> Actor:
        return self.admin

    def send(self, route: Route, body: bytes | None = None, query: str = "") -> tuple[int, Any]:
        async def ask() -> tuple[int, Any]:
            path = route.path.replace("{task_id}", self.task_id).replace("{agent_id}", self.agent_id)
            headers = {"Content-Type": "application/json"} if body is not None else {}
            async with client(self.app) as asker:
                reply = await asker.request(route.method, path + query, content=body, headers=headers)
            return reply.status_code, reply.json() if reply.content else None

        return asyncio.run(ask())


@pytest.fixture
def target(rota: Rota) -> Target:
    return Target(rota)


def check(status: int, told: Any) -> None:
    assert status < 500, told
    if status >= 400:
        assert set(told) - {"retry_after"} == SHAPE


@pytest.mark.parametrize("route", BODIES, ids=lambda route: f"{route.method} {route.path}")
@QUIET
@given(
    body=RAW
    | (VALUES | st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6)).map(lambda value: json.dumps(value).encode())
)
def test_any_body(target: Target, route: Route, body: bytes) -> None:
    check(*target.send(route, body))


@settings(QUIET, max_examples=60)
@given(fields=st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=4))
def test_any_fields_beside_those_a_task_needs(target: Target, fields: dict[str, Any]) -> None:
    check(*target.send(BODIES[0], json.dumps(task_body(**fields)).encode()))


@settings(QUIET, max_examples=60)
@given(
    steps=st.lists(
        st.dictionaries(st.sampled_from(["id", "uses", "with", "if", "save_as", "max_retries", "timeout_seconds"]), VALUES)
        | VALUES
    )
)
def test_any_pipeline(target: Target, steps: list[Any]) -> None:
    check(*target.send(BODIES[0], json.dumps(task_body(payload={"pipeline": steps})).encode()))


@QUIET
@given(data=st.data())
@pytest.mark.parametrize("route", QUERIES, ids=lambda route: f"{route.method} {route.path}")
def test_any_query(target: Target, route: Route, data: st.DataObject) -> None:
    names = st.sampled_from([*route.query.__struct_encode_fields__, "other"])
    values = TEXT | NUMBERS.map(str) | st.sampled_from(["nan", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
    query = data.draw(st.lists(st.tuples(names, values), max_size=3))
    check(*target.send(route, query="?" + "&".join(f"{name}={quote(value, errors='replace')}" for name, value in query)))


@settings(QUIET, max_examples=30)
@given(token=st.text(st.characters(max_codepoint=255), max_size=300), segment=st.text(min_size=1, max_size=40))
def test_any_token_and_any_id(rota: Rota, token: str, segment: str) -> None:
    async def ask() -> None:
        async with people(rota) as who, client(who.app) as stranger:
            header = [(b"authorization", b"Bearer " + token.encode("latin-1"))]
            reply = await stranger.get("/tasks", headers=header)
            assert (reply.status_code, set(reply.json())) == (401, SHAPE)
            reply = await who.admin.client.get("/runs/" + quote(segment, safe="", errors="replace"))
            assert reply.status_code in (200, 404, 422)

    asyncio.run(ask())

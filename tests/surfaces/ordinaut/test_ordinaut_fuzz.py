"""Whatever is sent, the answer is a refusal in the right shape or a real success."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.surfaces.ordinaut.agents_asking import People, asked, client, people, task_body

from rota.http.routes import Route
from rota.ops.context import Rota
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


def send(rota: Rota, route: Route, body: bytes | None = None, query: str = "") -> tuple[int, Any]:
    async def ask(who: People) -> tuple[int, Any]:
        made = await who.owner.task()
        path = route.path.replace("{task_id}", made["id"]).replace("{agent_id}", who.other.id)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        reply = await who.admin.client.request(route.method, path + query, content=body, headers=headers)
        return reply.status_code, reply.json() if reply.content else None

    return asked(rota, ask)


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
def test_any_body(rota: Rota, route: Route, body: bytes) -> None:
    check(*send(rota, route, body))


@settings(QUIET, max_examples=60)
@given(fields=st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=4))
def test_any_fields_beside_those_a_task_needs(rota: Rota, fields: dict[str, Any]) -> None:
    check(*send(rota, BODIES[0], json.dumps(task_body(**fields)).encode()))


@settings(QUIET, max_examples=60)
@given(
    steps=st.lists(
        st.dictionaries(st.sampled_from(["id", "uses", "with", "if", "save_as", "max_retries", "timeout_seconds"]), VALUES)
        | VALUES
    )
)
def test_any_pipeline(rota: Rota, steps: list[Any]) -> None:
    check(*send(rota, BODIES[0], json.dumps(task_body(payload={"pipeline": steps})).encode()))


@QUIET
@given(data=st.data())
@pytest.mark.parametrize("route", QUERIES, ids=lambda route: f"{route.method} {route.path}")
def test_any_query(rota: Rota, route: Route, data: st.DataObject) -> None:
    names = st.sampled_from([*route.query.__struct_encode_fields__, "other"])
    values = TEXT | NUMBERS.map(str) | st.sampled_from(["nan", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
    query = data.draw(st.lists(st.tuples(names, values), max_size=3))
    check(*send(rota, route, query="?" + "&".join(f"{name}={quote(value, errors='replace')}" for name, value in query)))


@settings(QUIET, max_examples=60)
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

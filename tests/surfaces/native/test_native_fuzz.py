"""Whatever is sent, the answer is a refusal in the right shape, and nothing is stored."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.asking import SHELL, client, make_rota, new_run, new_task
from tests.databases import open_memory
from tests.depth import examples

from rota.http.routes import Route
from rota.ops.context import Rota
from rota.surfaces import native

WORDS = sorted(
    {name for route in native.ROUTES if route.body not in (None, dict[str, Any]) for name in route.body.__struct_fields__}
    | {
        "kind",
        "expr",
        "at",
        "timezone",
        "entries",
        "hours",
        "script",
        "env",
        "retry",
        "attempts",
        "overlap",
        "timeout_s",
        "shell",
    }
)
ODD_TEXT = ["\x00", "a\x00b", "cron", "shell", "rrule", "once", "@every 1s", "9" * 400, "é" * 300]
ODD_BYTES = [b"", b"{", b"null", b"[]", b'{"a":' * 5000, b'"\\ud800"', b'{"name":"\xed\xa0\x80"}', b"NaN", b"-", b"1e999"]
ODD_WORDS = ["nan", "inf", "-1", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
HEADERS = ["Idempotency-Key", "If-Match", "Last-Event-ID", "Content-Type", "Authorization"]
JSON = {"Content-Type": "application/json"}
TEXT = st.text(max_size=20) | st.sampled_from(ODD_TEXT)
NUMBERS = st.integers() | st.floats(allow_nan=False) | st.sampled_from([2**63, -(2**63) - 1, 10**400, 1e308, -1, 0])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=12,
)
RAW = st.binary(max_size=60) | st.sampled_from(ODD_BYTES)
BODIES = [route for route in native.ROUTES if route.body is not None]
QUERIES = [route for route in native.ROUTES if route.query is not None]
TABLES = ("tasks", "runs", "slots", "events", "idempotency_keys")
QUIET = settings(max_examples=examples(20), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


class Target:
    """A Rota with one task and one run, and what it has stored."""

    def __init__(self, rota: Rota) -> None:
        self.rota = rota
        self.app = native.control_app(rota)
        self.task_id, self.run_id = asyncio.run(self._fill())
        self.known = self.stored()

    async def _fill(self) -> tuple[str, str]:
        async with client(self.app) as who:
            task = await new_task(who, schedule={"kind": "cron", "expr": "0 3 * * *"})
            return task["id"], (await new_run(who, task))["id"]

    def stored(self) -> list[Any]:
        return [self.rota.database.run(lambda c, table=table: c.rows(f"SELECT * FROM {table}")) for table in TABLES]  # type: ignore[misc]

    def path(self, route: Route) -> str:
        return route.path.replace("{id}", self.task_id if "/tasks/" in route.path else self.run_id)

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str | bytes) -> tuple[int, dict[str, Any]]:
        async def ask() -> tuple[int, dict[str, Any]]:
            async with client(self.app) as who:
                raw = [(name.encode(), value.encode() if isinstance(value, str) else value) for name, value in headers.items()]
                reply = await who.request(method, path, content=body, headers=raw)
                return reply.status_code, reply.json() if reply.content else {}

        return asyncio.run(ask())


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    async def reload() -> dict[str, Any]:
        return {}

    with closing(open_memory()) as database:
        rota = make_rota(database, tmp_path)
        rota.reload = reload
        yield Target(rota)


def check(target: Target, status: int, told: dict[str, Any]) -> None:
    """A refusal stores nothing; what is let through is a real success."""
    assert status < 500, told
    before, target.known = target.known, target.stored()
    if status >= 400:
        assert set(told) == {"type", "title", "status", "code", "detail", "hint", "errors"}
        assert target.known == before


@pytest.mark.parametrize("route", BODIES, ids=lambda route: f"{route.method} {route.path}")
@QUIET
@given(value=VALUES | st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6))
def test_any_json_as_a_body(target: Target, route: Route, value: Any) -> None:
    body = json.dumps(value).encode()
    check(target, *target.send(route.method, target.path(route), body, **JSON))


@pytest.mark.parametrize("route", BODIES, ids=lambda route: f"{route.method} {route.path}")
@settings(QUIET, max_examples=examples(15))
@given(body=RAW)
def test_any_bytes_as_a_body(target: Target, route: Route, body: bytes) -> None:
    check(target, *target.send(route.method, target.path(route), body, **JSON))


@settings(QUIET, max_examples=examples(40))
@given(fields=st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=4))
def test_any_fields_beside_those_a_task_needs(target: Target, fields: dict[str, Any]) -> None:
    document = {"name": "fuzzed", "executor": SHELL, **fields}
    body = json.dumps(document).encode()
    status, told = target.send("POST", "/v1/tasks", body, **JSON)
    check(target, status, told)
    if status == 201:
        assert target.send("DELETE", f"/v1/tasks/{told['id']}")[0] == 204
        target.known = target.stored()


@settings(QUIET, max_examples=examples(40))
@given(kind=st.sampled_from(["cron", "rrule", "once", "event", "calendar", "manual"]), fields=st.dictionaries(
    st.sampled_from(["expr", "at", "after_s", "timezone", "topic", "entries"]), VALUES, max_size=3))  # fmt: skip
def test_any_schedule(target: Target, kind: str, fields: dict[str, Any]) -> None:
    test_any_fields_beside_those_a_task_needs.hypothesis.inner_test(target, {"schedule": {"kind": kind, **fields}})  # type: ignore[attr-defined]


@pytest.mark.parametrize("route", QUERIES, ids=lambda route: f"{route.method} {route.path}")
@QUIET
@given(data=st.data())
def test_any_query(target: Target, route: Route, data: st.DataObject) -> None:
    names = st.sampled_from([*route.query.__struct_encode_fields__, "other"])
    values = TEXT | NUMBERS.map(str) | st.sampled_from(ODD_WORDS)
    query = data.draw(st.lists(st.tuples(names, values), max_size=4))
    if route.path.endswith("/stream"):
        query.append(("limit", "1"))  # refused, for the stream itself would only wait for its run
    text = "&".join(f"{name}={quote(value, errors='replace')}" for name, value in query)
    status, told = target.send(route.method, f"{target.path(route)}?{text}", b"{}" if route.body else None, **JSON)
    check(target, status, told)


@settings(QUIET, max_examples=examples(40))
@given(
    header=st.sampled_from(HEADERS),
    value=st.text(max_size=300),
)
def test_any_header(target: Target, header: str, value: str) -> None:
    sent = value.encode("latin-1", "replace")
    for method, path in (("POST", "/v1/events"), ("PATCH", f"/v1/tasks/{target.task_id}")):
        headers: dict[str, str | bytes] = {**JSON, header: sent}
        check(target, *target.send(method, path, b'{"nothing": 1}', **headers))


@settings(QUIET, max_examples=examples(40))
@given(segment=st.text(min_size=1, max_size=40))
def test_any_id(target: Target, segment: str) -> None:
    for prefix in ("/v1/tasks/", "/v1/runs/"):
        status, _told = target.send("GET", prefix + quote(segment, safe="", errors="replace"))
        assert status in (200, 404)

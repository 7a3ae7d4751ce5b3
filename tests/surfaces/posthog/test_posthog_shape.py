"""The surface as a whole: its description, its prefix on the main listener, and input that makes no sense."""

import asyncio
from contextlib import closing
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.asking import make_rota
from tests.databases import open_memory
from tests.depth import examples
from tests.surfaces.posthog.projects_asking import Client, People, asked, client, people

from rota.core.actor import OPERATOR
from rota.ops import keys
from rota.ops.context import Rota
from rota.surfaces import SURFACES, mounted
from rota.surfaces.posthog import OPS
from rota.surfaces.posthog.tasks import CREATE, FILTERS

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
BODIES = VALUES | st.dictionaries(st.sampled_from(sorted(CREATE)), VALUES, max_size=5)
QUERIES = st.dictionaries(st.sampled_from([*sorted(FILTERS), "limit", "offset"]), st.text(max_size=20), max_size=5)


def test_every_operation_is_described_and_no_path_stands_twice(rota: Rota) -> None:
    async def talk(who: People) -> None:
        told = (await who.nobody.http.get("/openapi.json")).json()
        described = {(method.upper(), path) for path, item in told["paths"].items() for method in item}
        assert {(op.method, op.route().path) for op in OPS} <= described
        assert len({(op.method, op.path) for op in OPS}) == len(OPS)

    asked(rota, talk)


def test_on_the_main_listener_it_stands_under_its_prefix_and_links_lead_back(rota: Rota) -> None:
    async def talk(who: People) -> None:
        key = await keys.add_key(rota, OPERATOR, "owner", "posthog")
        for _ in range(2):
            await who.owner.task()
        app = mounted(rota, {"native": SURFACES["native"], "posthog": SURFACES["posthog"]})
        async with client(app, key.secret) as http:
            first = (await http.get(f"/posthog/api/projects/{who.project}/tasks?limit=1")).json()
            assert first["next"] == f"http://localhost:8000/posthog/api/projects/{who.project}/tasks?limit=1&offset=1"
            second = (await http.get(first["next"])).json()
            assert (second["next"], len(second["results"])) == (None, 1)
            made = await http.post("/posthog/api/projects/@current/tasks/", json={})
            assert (await http.get(made.headers["location"])).json() == made.json()

    asked(rota, talk)


@settings(max_examples=examples(6), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(BODIES, min_size=8, max_size=8), queries=st.lists(QUERIES, min_size=8, max_size=8))
def test_nothing_that_is_sent_is_a_fault_of_the_servers(tmp_path: Any, bodies: list[Any], queries: list[Any]) -> None:
    async def talk() -> None:
        with closing(open_memory()) as database:
            async with people(make_rota(database, tmp_path)) as who:
                task = await who.owner.task()
                for body, query in zip(bodies, queries, strict=True):
                    await _throw(who.owner, task["id"], body, query)

    asyncio.run(talk())


async def _throw(who: Client, task_id: str, body: Any, query: dict[str, str]) -> None:
    for method, path in (
        ("POST", "/tasks"), ("PATCH", f"/tasks/{task_id}"), ("POST", "/tasks/summaries"), ("GET", "/tasks"),
        ("POST", f"/tasks/{task_id}/presence"), ("DELETE", f"/tasks/{task_id}/presence"),
        ("POST", "/api/users/@me/push_tokens"),
    ):  # fmt: skip
        reply = await who.ask(method, path, body if method != "GET" else None, params=query)
        assert reply.status_code < 500, (method, path, body, query, reply.text)
        if reply.status_code >= 400:
            assert set(reply.json()) == {"type", "code", "detail", "attr"}

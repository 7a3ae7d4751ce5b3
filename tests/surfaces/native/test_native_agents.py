"""Agents and calls over the native API: what is checked when one is saved, and who may have which."""

from typing import Any

import pytest
from tests.agent_workbench import prompt, returns
from tests.asking import People, asked, new_task

from rota.ops.context import Rota
from rota.providers import Providers
from rota.providers.echo import Echo
from rota.tools import Toolbox


def chain(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "agent", "nodes": list(nodes), **more}


@pytest.fixture(autouse=True)
def only_echo(rota: Rota) -> None:
    rota.tools = Toolbox(llms=Providers([Echo()]))


@pytest.mark.parametrize(
    "executor",
    [
        chain(prompt(), returns("answer"), variables={"question": "Why?", "n": [1]}),
        chain(),
        {"kind": "agent", "url": "https://agents.example/work", "headers": {"X-A": "b"}},
        {"kind": "http", "method": "POST", "url": "https://a.example/${params.x}", "body": {"a": [1]}, "expect_status": 201},
    ],
)
def test_an_agent_is_stored_and_shown_as_it_was_given(rota: Rota, executor: dict[str, Any]) -> None:
    async def talk(who: People) -> None:
        assert (await new_task(who.plain, executor=executor))["executor"] == executor

    asked(rota, talk)


@pytest.mark.parametrize(
    ("executor", "place"),
    [
        (chain(prompt(llm="nobody")), "nodes.0.llm"),
        (chain(prompt(), {"type": "return", "name": "r"}), "nodes.1.output"),
        (chain({"type": "magic", "name": "r"}), "nodes.0.type"),
        (chain({**prompt(), "maxTokens": 0}), "nodes.0.maxTokens"),
        ({"kind": "agent"}, "nodes"),
        ({"kind": "agent", "url": "file:///etc/passwd"}, "url"),
        ({"kind": "http", "url": "file:///etc/passwd"}, "url"),
        ({"kind": "http", "url": "http://a", "method": "get it"}, "method"),
        ({"kind": "http", "url": "http://a", "headers": {"A": "b\r\nc: d"}}, None),
        ({"kind": "http", "url": "http://a", "body": {"x": ["${a b}"]}}, "body.x.0"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_saved(rota: Rota, executor: dict[str, Any], place: str | None) -> None:
    async def talk(who: People) -> None:
        reply = await who.plain.post("/v1/tasks", json={"name": "a", "executor": executor})
        assert reply.status_code == 422, reply.text
        location = reply.json()["errors"][0]["location"]
        assert location == f"body.executor.{place}" if place else location.startswith("body.executor")
        assert (await who.plain.get("/v1/tasks")).json()["items"] == []

    asked(rota, talk)


@pytest.mark.parametrize(
    "executor",
    [
        {"kind": "agent", "command": ["true"]},
        {"kind": "agent", "command": "true"},
        chain({"type": "mcp", "name": "m", "config": {"command": ["x"]}, "user": "", "apikey": "", "output": "o", "llm": "echo"}),
    ],
)
def test_what_starts_programs_needs_the_right(rota: Rota, executor: dict[str, Any]) -> None:
    async def talk(who: People) -> None:
        body = {"name": "a", "executor": executor}
        codes = [
            (await who.plain.post("/v1/tasks", json=body)).status_code,
            (await who.owner.post("/v1/tasks", json=body)).status_code,
        ]
        assert codes == [403, 201]

    asked(rota, talk)

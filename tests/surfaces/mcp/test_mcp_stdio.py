"""`rota mcp` as an assistant starts it: one session before, while and after a server runs; and in the name of a key."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.databases import environ_of
from tests.surfaces.mcp.speaking import PIPELINE, Assistant, over_stdio, served

from rota.cli.mcp import call_tool
from rota.cli.place import Place
from rota.surfaces.mcp.wire import Called

pytestmark = pytest.mark.e2e


@pytest.mark.embedded("before its first server there is no Rota in a directory, while PostgreSQL is there")
def test_one_session_lasts_while_servers_come_and_go(tmp_path: Path) -> None:
    async def work() -> None:
        async with over_stdio(tmp_path / "data") as operator:
            assert operator.client.server_info and operator.client.server_info.name == "rota"
            assert (await operator.refused("list_tasks"))["code"] == "unreachable"
            async with served(tmp_path):
                await has_a_script_run(operator)
            await goes_on_without_a_server(operator)

    asyncio.run(work())


async def has_a_script_run(operator: Assistant) -> None:
    await operator.ask("create_task", name="stamp", executor={"kind": "shell", "script": "echo stamped"})
    started = await operator.ask("run_task", task="stamp")
    waited = await operator.ask("wait_run", run_id=started["run"]["id"], wait_s=20)
    assert (waited["run"]["state"], waited["ended"]) == ("succeeded", True)
    log = await operator.ask("read_log", run_id=started["run"]["id"])
    assert [line["text"] for line in log["lines"]] == ["stamped"]


async def goes_on_without_a_server(operator: Assistant) -> None:
    assert [task["name"] for task in (await operator.ask("list_tasks"))["items"]] == ["stamp"]
    refused = await operator.refused("run_task", task="stamp")
    assert (refused["code"], refused["hint"]) == ("unreachable", "start it: rota serve")
    wrong = await operator.refused("create_task", name="x", executor={"kind": "shell"})
    assert wrong["fields"] == [{"location": "executor.script", "message": "is required"}]


def test_a_key_lends_its_rights_with_a_server_and_without(tmp_path: Path) -> None:
    key, shell = "", {"kind": "shell", "script": "true"}

    def call(tool: str, **arguments: Any) -> Called:
        database = environ_of(tmp_path / "data").get("ROTA_DATABASE")
        return call_tool(Place(data=tmp_path / "data", database=database), key, tool, arguments)

    async def work() -> None:
        nonlocal key
        async with served(tmp_path) as place:
            assert (await asyncio.to_thread(call, "create_task", name="installation", executor=shell)).ok
            key = await place.key("olga")
            assert refusal(await asyncio.to_thread(call, "create_task", name="mine", executor=shell)) == "forbidden"
            assert (await asyncio.to_thread(call, "create_task", name="mine", executor=PIPELINE)).ok

    asyncio.run(work())
    assert [task["name"] for task in call("list_tasks").result["items"]] == ["mine"]
    assert refusal(call("get_task", task="installation")) == "not_found"
    key = "rota_wrong"
    assert refusal(call("list_tasks")) == "unauthorized"


def refusal(called: Called) -> str | None:
    return called.error.code if called.error else None

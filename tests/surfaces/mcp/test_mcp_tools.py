"""What clients are told of the tools, how refusals name what was wrong, and what is loaded when."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mcp import Client, MCPError
from tests.asking import client, new_actor
from tests.factories import NOON
from tests.surfaces.mcp.speaking import PIPELINE

from rota.core.actor import OPERATOR
from rota.http.auth import as_operator
from rota.ops.context import Rota
from rota.surfaces import mcp
from rota.surfaces.mcp.asking import McpTool
from rota.surfaces.mcp.calling import call_tool
from rota.surfaces.mcp.protocol import build_server
from rota.surfaces.mcp.schemas import answers, takes
from rota.surfaces.mcp.tools import TOOLS

SRC = Path(__file__).parents[3] / "src"
COVERAGE = (SRC / "rota/surfaces/mcp/COVERAGE.md").read_text()
PAGE = (SRC.parent / "docs/mcp.md").read_text()


def called(rota: Rota, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a client in this process is answered."""

    async def call(_request: Any, name: str, given: dict[str, Any]) -> Any:
        return await call_tool(rota, OPERATOR, name, given)

    async def talk() -> dict[str, Any]:
        async with Client(build_server(call), cache=None) as assistant:
            result = await assistant.call_tool(tool, arguments)
            return {"error": result.is_error, "text": result.content[0].text, "told": result.structured_content}  # type: ignore[union-attr]

    return asyncio.run(talk())


@pytest.mark.parametrize("tool", [pytest.param(tool, id=tool.name) for tool in TOOLS])
def test_every_tool_has_schemas_a_description_and_its_lines(tool: McpTool) -> None:
    for schema in (takes(tool), answers(tool)):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
    assert len(tool.description) > 20
    assert f"| `{tool.name}` |" in PAGE
    assert f"| `{tool.name}` |" in COVERAGE


def test_a_refusal_names_every_wrong_argument_and_the_next_step(rota: Rota) -> None:
    steps = [{"uses": "debug.echo"}, {"uses": "nope", "if": "a ||"}, {"uses": "debug.echo", "with": "${steps.x}"}]
    refused = called(rota, "create_task", name="p", executor={"kind": "pipeline", "steps": steps})
    assert refused["error"]
    assert {field["location"] for field in refused["told"]["fields"]} == {
        "executor.steps.1.if", "executor.steps.1.uses", "executor.steps.2.with",
    }  # fmt: skip
    assert all(field["location"] in refused["text"] for field in refused["told"]["fields"])


@pytest.mark.parametrize(
    ("tool", "arguments", "location"),
    [
        ("create_task", {"name": "x y", "executor": PIPELINE}, "name"),
        ("create_task", {"name": "x", "executor": PIPELINE, "schedul": 1}, "schedul"),
        ("create_task", {"name": "x", "executor": PIPELINE, "schedule": {"kind": "cron", "expr": "61 * * * *"}}, "schedule.expr"),
        ("create_task", {"name": "x", "executor": PIPELINE, "params": {"n": 2**70}}, "params.n"),
        ("create_task", {"name": "x", "executor": PIPELINE, "params": {"n": "\0"}}, "params.n"),
        ("create_task", {"name": "x", "executor": PIPELINE, "params": {"n": "\ud800"}}, "arguments"),
        ("update_task", {"task": "known", "change": {"titel": 1}}, "change.titel"),
        ("update_task", {"task": "known", "change": {"title": 1}}, "change.title"),
        ("run_task", {"task": "known", "params": {"n": "x"}}, "params.n"),
        ("preview_task", {"task": "known", "params": {"n": "x"}}, "params.n"),
        ("run_task", {"task": "known", "idempotency_key": "\x07"}, "idempotency_key"),
        ("snooze_task", {"task": "known", "delay_s": 604_801}, "delay_s"),
        ("list_runs", {"states": ["odd"]}, "states.0"),
        ("list_tasks", {"cursor": "odd"}, "cursor"),
        ("list_slots", {"task": "known", "at": "2027-03-14T09:00:00"}, "at"),
        ("get_run", {}, "run_id"),
    ],
)
def test_a_wrong_argument_is_told_by_its_place(rota: Rota, tool: str, arguments: dict[str, Any], location: str) -> None:
    inputs = [{"kind": "env", "key": "n", "type": "number", "default": "1"}]
    assert not called(rota, "create_task", name="known", executor=PIPELINE, inputs=inputs)["error"]
    refused = called(rota, tool, **arguments)
    assert (refused["error"], refused["told"]["fields"][0]["location"]) == (True, location), refused
    assert refused["told"]["message"].startswith(f"{location}: ")


def test_there_is_no_tool_of_another_name(rota: Rota) -> None:
    async def call(_request: Any, name: str, given: dict[str, Any]) -> Any:
        return await call_tool(rota, OPERATOR, name, given)

    async def talk() -> None:
        async with Client(build_server(call), cache=None) as assistant:
            with pytest.raises(MCPError, match="there is no tool 'make_task'"):
                await assistant.call_tool("make_task", {})

    asyncio.run(talk())


def test_an_unknown_name_has_the_nearest_as_a_hint(rota: Rota) -> None:
    called(rota, "create_task", name="backup", executor=PIPELINE)
    refused = called(rota, "get_task", task="bakcup")
    assert refused["text"] == "not_found: there is no task 'bakcup'\nhint: did you mean backup?"


def test_a_mistake_of_ours_is_told_without_what_it_was(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    rota.database.close()
    monkeypatch.setattr("rota.surfaces.mcp.calling.log.error", lambda *_, **__: None)
    refused = called(rota, "list_tasks")
    assert refused["error"]
    assert refused["told"]["code"] in ("internal", "unavailable")


def test_lists_page(rota: Rota) -> None:
    for name in "abc":
        called(rota, "create_task", name=name, executor=PIPELINE)
    first = called(rota, "list_tasks", limit=2)["told"]
    rest = called(rota, "list_tasks", limit=2, cursor=first["next_cursor"])["told"]
    assert [task["name"] for task in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next_cursor"] is None


def test_whether_a_slot_ran_is_told_with_the_reason(rota: Rota) -> None:
    called(rota, "create_task", name="nightly", executor=PIPELINE, schedule={"kind": "cron", "expr": "0 3 * * *"})
    asked = {"task": "nightly", "at": NOON.replace(hour=15).isoformat()}
    assert called(rota, "list_slots", **asked)["told"]["items"][0]["reason"] == "not_a_slot"
    called(rota, "snooze_task", task="nightly", delay_s=60)
    [slot] = called(rota, "list_slots", task="nightly")["told"]["items"]
    assert (slot["nominal_at"], slot["outcome"]) == ("2026-03-03T03:00:00Z", "pending")


def test_the_same_tools_are_there_as_plain_json(rota: Rota) -> None:
    async def talk() -> None:
        async with client(mcp.app(rota, as_operator)) as plain:
            plain.base_url = "http://localhost"
            listed = (await plain.get("/tools")).json()
            assert [tool["name"] for tool in listed] == [tool.name for tool in TOOLS]
            schema = (await plain.get("/tools/create_task/schema")).json()
            assert schema["input_schema"]["required"] == ["name", "executor"]
            assert (await plain.get("/meta")).json()["tools"] == len(TOOLS)
            assert (await plain.post("/handshake")).json()["session_id"]
            told = (await plain.post("/tools/list_tasks")).json()
            assert told == {"ok": True, "tool": "list_tasks", "result": {"items": [], "next_cursor": None}}
            for path in ("/tools/nothing", "/nothing"):
                assert (await plain.post(path)).status_code == 404

    asyncio.run(talk())


def test_the_sdk_is_loaded_by_the_first_who_speaks_it_and_not_before(tmp_path: Path) -> None:
    program = (
        "import rota.main, rota.cli, rota.surfaces.mcp.calling, sys; sys.exit('mcp' in sys.modules or 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(SRC)}, check=False)
    assert done.returncode == 0


def test_an_actor_without_rights_may_read_what_pipelines_can_call(rota: Rota) -> None:
    async def talk() -> None:
        actor = await new_actor(rota, "paul")
        told = await call_tool(rota, actor, "list_step_tools", {})
        assert {"debug.echo", "http.request", "task.run"} <= {tool.name for tool in told.result.items}

    asyncio.run(talk())

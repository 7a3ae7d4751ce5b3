"""Nodes that let a model work with the tools of a real MCP server."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.agent_workbench import ALLOWING, DENYING, AgentBench, Done, chain_of, returns
from tests.e2e.free_port import free_port
from tests.model_servers import anthropic, openai, streams
from tests.receivers import Answering, Receiver, receiving

from rota.outgoing import Guard, Outgoing
from rota.providers.anthropic import Anthropic
from rota.providers.openai import OpenAI
from rota.providers.wire import Wire
from rota.tools import McpServer

pytestmark = pytest.mark.e2e

PROGRAM = str(Path(__file__).parents[1] / "tools" / "mcp_server.py")
SMALL = McpServer(name="small", command=(sys.executable, PROGRAM))
KEY = "sk-key-0123456789"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, PROGRAM, str(port)], stderr=subprocess.DEVNULL)
    try:
        asyncio.run(asyncio.wait_for(_listens(port), 20))
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait()


async def _listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def work_with_tools(
    folder: Path, *script: Answering, config: dict[str, Any], kind: str = "claude", **fields: Any
) -> tuple[Done, Receiver]:
    async def work() -> tuple[Done, Receiver]:
        async with receiving(*script) as receiver:
            outgoing = Outgoing(fields.pop("model_guard", Guard("deny")))
            wire = Wire(name=kind, outgoing=outgoing, base_url=receiver.url, max_retries=0)
            provider = Anthropic(wire) if kind == "claude" else OpenAI(wire)
            steps = {"maxSteps": fields.pop("max_steps", 3)}
            node = {
                "type": "mcp", "name": "Reckon", "config": config, "user": "2 + 3?", "apikey": "{key}", "output": "sum",
                "llm": kind, **steps,
            }  # fmt: skip
            work = chain_of(node, returns("sum"), key=KEY)
            done = await AgentBench(folder, work, providers=[provider], **fields).carry_out_here()
            await outgoing.close()
            return done, receiver

    return asyncio.run(asyncio.wait_for(work(), 30))


def uses(kind: str, name: str, **arguments: Any) -> Answering:
    make = anthropic if kind == "claude" else openai
    return streams(*make("Let me see.", uses=[("u1", name, arguments)]))


def says(kind: str, text: str) -> Answering:
    return streams(*(anthropic if kind == "claude" else openai)(text))


@pytest.mark.parametrize("kind", ["claude", "openai"])
def test_a_model_asks_for_a_tool_and_is_told_its_answer(tmp_path, kind):
    script = [uses(kind, "add", a=2, b=3), says(kind, "It is 5.")]
    done, receiver = work_with_tools(tmp_path, *script, config={"server": "small"}, servers=[SMALL], kind=kind)
    assert (done.outcome.state, done.outcome.output) == ("succeeded", {"sum": "It is 5."}), done.outcome
    assert done.logs == ["Reckon: Running", "Response: It is 5.", "Return: Running"]
    assert {'tool add: {"a":2,"b":3}', "tool add answered: 5"} <= set(done.texts("system"))
    assert done.steps[0].usage == {"input_tokens": 14, "output_tokens": 24}
    assert "5" in json.dumps(json.loads(receiver.received[1].body)["messages"][-1])


def test_a_tool_that_fails_is_an_answer_for_the_model(tmp_path):
    script = [uses("claude", "breaks"), uses("claude", "nonesuch"), uses("claude", "add", a="x"), says("claude", "I could not.")]
    done, receiver = work_with_tools(tmp_path, *script, config={"server": "small"}, servers=[SMALL], max_steps=5)
    assert done.outcome.output == {"sum": "I could not."}
    results = [json.loads(each.body)["messages"][-1]["content"][0] for each in receiver.received[1:]]
    assert [each["is_error"] for each in results] == [True, True, True]


def test_there_are_no_more_steps_than_the_node_allows(tmp_path):
    script = [uses("claude", "add", a=1, b=1)]
    done, receiver = work_with_tools(tmp_path, *script, config={"server": "small"}, servers=[SMALL], max_steps=2)
    assert (done.outcome.state, done.outcome.error) == ("failed", "Reckon: claude: still asks for tools after 2 steps")
    assert len(receiver.received) == 4
    answered = [text for text in done.texts("system") if text.startswith("tool add answered")]
    assert len(answered) == 2


def test_a_server_may_be_named_by_its_url(tmp_path, url):
    script = [uses("claude", "add", a=2, b=3), says("claude", "It is 5, says tok-0123456789.")]
    done, _ = work_with_tools(tmp_path, *script, config={"url": url, "headers": {"X-A": "tok-0123456789"}}, guard=ALLOWING)
    assert done.outcome.output == {"sum": "It is 5, says [redacted]."}, done.outcome


def test_a_private_url_from_an_api_is_refused(tmp_path, url):
    done, receiver = work_with_tools(tmp_path, says("claude", "x"), config={"url": url}, guard=DENYING)
    assert done.outcome.state == "failed"
    assert "may not be called from here" in (done.outcome.error or "")
    assert receiver.received == []


def test_a_private_url_from_the_settings_file_is_trusted(tmp_path, url):
    done, _ = work_with_tools(tmp_path, says("claude", "hello"), config={"url": url}, guard=DENYING, source="file")
    assert done.outcome.output == {"sum": "hello"}


def test_a_server_may_be_a_command(tmp_path):
    script = [uses("claude", "add", a=2, b=3), says("claude", "It is 5.")]
    done, _ = work_with_tools(tmp_path, *script, config={"command": [sys.executable, PROGRAM]})
    assert done.outcome.output == {"sum": "It is 5."}, done.outcome


@pytest.mark.parametrize("config", [{"server": "nobody"}, {"command": ["/no/such/program"]}, {"url": "http://127.0.0.1:9/mcp"}])
def test_a_server_that_is_not_there_fails_the_node(tmp_path, config):
    done, _ = work_with_tools(tmp_path, says("claude", "x"), config=config)
    assert done.outcome.state == "failed"
    assert done.logs[1].startswith("Error: ")

"""`http.request` and catalogue tools over HTTP, against a server that answers what a test says."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.pipeline_workbench import ALLOWING, Bench, Done

from rota.core.actor import Actor
from rota.core.errors import Invalid
from rota.core.pipeline.language import Step
from rota.core.policy import Retry
from rota.core.work import Pipeline
from rota.outgoing import Guard, Outgoing
from rota.tools import McpServers, Toolbox, build_tools
from rota.tools.catalogue import catalogue_tools, read_catalogue


class Answering:
    """Remembers what it was asked; its answers go by the path: /status/N, /echo, /hang, /rpc, /big."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        self.loop = asyncio.new_event_loop()
        self.url = ""

    async def serve(self) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}"

    async def end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *rest = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
        body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
        method, path, _ = first.split()
        self.asked.append((method, path, headers, body))
        if path == "/hang":
            await reader.read()
        else:
            status, text = self._reply(path, body)
            data = text.encode()
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data)
        writer.close()

    def _reply(self, path: str, body: str) -> tuple[int, str]:
        if path.startswith("/status/"):
            return int(path.removeprefix("/status/")), "no"
        if path == "/rpc":
            asked = json.loads(body)
            if asked["params"]["arguments"].get("fail"):
                return 200, json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": 1, "message": "refused"}})
            return 200, json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {"asked": asked["params"]}})
        return 200, "x" * 2_000_000 if path == "/big" else body or '{"hello": "world"}'


@pytest.fixture(scope="module")
def site() -> Iterator[Answering]:
    site = Answering()
    thread = Thread(target=site.loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(site.serve(), site.loop).result()
    yield site
    asyncio.run_coroutine_threadsafe(site.end(), site.loop).result()
    site.loop.call_soon_threadsafe(site.loop.stop)
    thread.join()
    site.loop.close()


def pipe(folder: Path, *steps: dict[str, Any], **fields: Any) -> Done:
    return Bench(folder, steps, **fields).carry_out()


def request(url: str, **with_: Any) -> dict[str, Any]:
    return {"uses": "http.request", "with": {"url": url, **with_}, "save_as": "answer"}


def test_an_answer_is_status_headers_body_and_json(tmp_path, site):
    done = pipe(tmp_path, request(f"{site.url}/echo", method="post", json={"who": "${params.who}"}), params={"who": "Ana"})
    answer = done.outcome.output["steps"]["answer"]
    assert (answer["status"], answer["json"], answer["body"]) == (200, {"who": "Ana"}, '{"who":"Ana"}')
    method, _, headers, _ = site.asked[-1]
    assert (method, headers["content-type"]) == ("POST", "application/json")
    assert headers["idempotency-key"].endswith(".0")


@pytest.mark.parametrize("more", [{"Transfer-Encoding": "chunked"}, {"Content-Length": "1"}])
def test_where_a_body_ends_is_not_for_the_step_to_say(tmp_path, site, more):
    done = pipe(tmp_path, request(f"{site.url}/echo", method="POST", body="0\r\n\r\nGET /hidden HTTP/1.1", headers=more))
    assert done.outcome.state == "succeeded"
    _, _, headers, body = site.asked[-1]
    assert ("transfer-encoding" in headers, headers["content-length"]) == (False, str(len(body)))
    assert body == "0\r\n\r\nGET /hidden HTTP/1.1"


@pytest.mark.parametrize(
    ("status", "expect", "state"),
    [
        (204, None, "succeeded"),
        (302, None, "succeeded"),
        (404, None, "failed"),
        (404, 404, "succeeded"),
        (500, [500, 503], "succeeded"),
        (200, [201], "failed"),
    ],
)
def test_which_status_is_success_can_be_said(tmp_path, site, status, expect, state):
    more = {} if expect is None else {"expect_status": expect}
    done = pipe(tmp_path, request(f"{site.url}/status/{status}", **more))
    assert done.outcome.state == state
    if state == "failed":
        assert (done.outcome.error, done.summary["error_type"]) == (f"GET: HTTP status {status}", "ToolFailed")


def test_a_target_that_hangs_is_given_up_in_time_and_tried_again_with_the_same_key(tmp_path, site):
    step = {**request(f"{site.url}/hang"), "timeout_seconds": 0.05, "max_retries": 1}
    before = len(site.asked)
    done = pipe(tmp_path, step, retry=Retry(delay_s=0.0))
    assert (done.summary["error_type"], done.outcome.error) == ("ToolTimeout", "no answer within 0.05 s")
    first, second = site.asked[before:]
    assert first[2]["idempotency-key"] == second[2]["idempotency-key"]


def test_what_is_too_large_is_cut(tmp_path, site):
    answer = pipe(tmp_path, request(f"{site.url}/big")).outcome.output["steps"]["answer"]
    assert (len(answer["body"]), answer["truncated"], answer["json"]) == (1024 * 1024, True, None)


def test_a_private_target_is_refused_for_good_unless_the_operator_allows_it(tmp_path, site):
    bench = Bench(tmp_path, [request(f"{site.url}/echo")])
    bench._tools = Toolbox(build_tools(Outgoing(Guard("deny"))))
    done = bench.carry_out()
    assert (done.summary["error_type"], done.outcome.final) == ("PermissionDenied", True)


@pytest.mark.parametrize(
    "with_",
    [
        {},
        {"url": 1},
        {"url": "http://x", "body": "a", "json": 1},
        {"url": "http://x", "expect_status": "200"},
        {"url": "http://x", "uri": 1},
    ],
)
def test_arguments_are_held_to_the_schema(tmp_path, with_):
    done = pipe(tmp_path, {"uses": "http.request", "with": with_})
    assert done.summary["error_type"] == "InputValidationError"


CHILD = """
import json, os, sys
asked = json.loads(sys.stdin.readline())
if asked["params"]["arguments"].get("hang"): sys.stdin.read(); import time; time.sleep(60)
result = {"name": asked["params"]["name"], "pid": os.getpid(), "notify": os.environ.get("NOTIFY_SOCKET")}
print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
import time; time.sleep(60)
"""


@pytest.fixture
def catalogue(tmp_path: Path, site: Answering) -> Path:
    path = tmp_path / "tools.json"
    any_object = {"input_schema": {"type": "object"}, "output_schema": {"type": "object"}}
    tools = [
        {"address": "crm.find", "transport": "http", "endpoint": f"{site.url}/rpc", **any_object, "scopes": ["crm"]},
        {
            "address": "local.do",
            "transport": "stdio",
            "executable": [sys.executable, "-c", CHILD],
            **any_object,
            "timeout_seconds": 5,
        },
    ]
    path.write_text(json.dumps({"tools": tools}))
    return path


def from_catalogue(path: Path) -> Any:
    return list(catalogue_tools(read_catalogue(path), Outgoing(ALLOWING), McpServers([]).find))


def test_tools_of_a_catalogue_speak_json_rpc(tmp_path, catalogue, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    done = pipe(
        tmp_path,
        {"uses": "crm.find", "with": {"name": "Ana"}, "save_as": "found"},
        {"uses": "local.do", "save_as": "did"},
        tools=from_catalogue(catalogue),
    )
    steps = done.outcome.output["steps"]
    assert steps["found"] == {"asked": {"arguments": {"name": "Ana"}}}
    assert (steps["did"]["name"], steps["did"]["notify"]) == ("local.do", None)
    assert not Path(f"/proc/{steps['did']['pid']}").exists()


@pytest.mark.parametrize(
    ("step", "error_type", "words"),
    [
        ({"uses": "crm.find", "with": {"fail": True}}, "ToolFailed", "crm.find: refused"),
        ({"uses": "crm.find", "with": "text"}, "InputValidationError", "object"),
        ({"uses": "local.do", "with": {"hang": True}, "timeout_seconds": 0.1}, "ToolTimeout", "0.1 s"),
    ],
)
def test_their_failures_are_told(tmp_path, catalogue, step, error_type, words):
    done = pipe(tmp_path, step, tools=from_catalogue(catalogue))
    assert done.summary["error_type"] == error_type
    assert words in str(done.outcome.error)


def test_a_tool_may_ask_for_scopes(catalogue):
    toolbox = Toolbox(from_catalogue(catalogue))
    work = Pipeline(steps=[Step(uses="crm.find")])
    agent = Actor(id="a", name="a", kind="agent", scopes=frozenset({"tasks:create"}))
    (problem,) = toolbox.check(work, agent)
    assert (problem.location, "crm" in problem.message) == ("steps.0.uses", True)
    assert toolbox.check(work, Actor(id="a", name="a", kind="agent", scopes=frozenset({"crm"}))) == []


@pytest.mark.parametrize(
    "text",
    ["{", "[{}]", '[{"address": "a", "transport": "http", "input_schema": {}, "output_schema": {}}]',
     '[{"address": "a", "transport": "stdio", "executable": ["x"], "input_schema": {"type": 1}, "output_schema": {}}]'],
)  # fmt: skip
def test_a_catalogue_that_cannot_be_used_is_refused(tmp_path, text):
    (tmp_path / "tools.json").write_text(text)
    with pytest.raises(Invalid, match="catalogue of tools"):
        read_catalogue(tmp_path / "tools.json")


def test_two_tools_of_one_name_are_refused():
    with pytest.raises(Invalid, match="twice"):
        Toolbox([*build_tools(Outgoing(ALLOWING)), *build_tools(Outgoing(ALLOWING))])

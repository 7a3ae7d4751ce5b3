"""Chains on a real server, as clients of NLA's API see them: killed, stopped, shown in the terminal."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from tests import under
from tests.e2e.conftest import MakeServer
from tests.e2e.server_process import ServerProcess

pytestmark = pytest.mark.e2e

Ask = Callable[..., Any]


def node(number: int, **fields: Any) -> dict[str, Any]:
    asked = {"system": "", "user": f"{{said}}{number}", "llm": "echo", "apikey": "", "model": "any"}
    return {"type": "prompt", "name": f"N{number}", "output": "said", "temperature": 0, "maxTokens": 9, **asked, **fields}


FIVE = [*(node(number) for number in range(4)), {"type": "return", "name": "End", "output": "said"}]
# Longer than it takes until somebody has read that it has begun.
SLOW = [node(0), node(1, model="delay:3" if under.scale else "delay:0.5"), *FIVE[2:]]


@contextmanager
def asking(server: ServerProcess, key: str) -> Iterator[Ask]:
    with httpx.Client(base_url=f"{server.url}/nla/api/v1", headers={"apikey": key}, timeout=20) as http:

        def ask(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
            reply = http.request(method, path, json=body)
            assert reply.is_success, reply.text
            return reply.json()

        yield ask


def new_key(server: ServerProcess) -> str:
    server.cli("user", "add", "ann")
    return server.cli("key", "add", "--user", "ann", "--for", "nla").stdout.strip()


def new_agent(ask: Ask, nodes: list[dict[str, Any]]) -> None:
    body = {"id": "five", "name": "Five", "description": "Counts.", "variables": {"said": ""}, "workflow": nodes}
    ask("POST", "/agent", body)


def ended(server: ServerProcess, key: str, task_id: str) -> dict[str, Any]:
    with asking(server, key) as ask:

        def look() -> dict[str, Any] | None:
            task: dict[str, Any] = ask("GET", f"/task/{task_id}")
            return task if task["status"] != "running" else None

        return server.until(look)


def running_lines(task: dict[str, Any]) -> list[str]:
    return [line.partition(":")[0] for line in task["logs"] if line.endswith(": Running")]


@pytest.mark.timeout(300)
def test_a_chain_of_five_killed_between_its_nodes_goes_on_behind_the_last(make_server: MakeServer) -> None:
    server = make_server("")
    server.start()
    key = new_key(server)
    with asking(server, key) as ask:
        new_agent(ask, FIVE)
    server.stop()
    server.start("node written, next not begun", 1)
    with asking(server, key) as ask:
        task_id = ask("POST", "/workflow/five", {"input": {"said": ">"}})["id"]
    assert server.wait() == -9
    for _ in range(3):
        server.launch("node written, next not begun", 1)
        assert server.wait() == -9
    server.start()
    task = ended(server, key, task_id)
    assert (task["status"], task["output"]) == ("complete", {"said": ">0123"}), task
    whole, told = ["N0", "N1", "N2", "N3", "End"], running_lines(task)
    assert told == (whole if server.keeps_last_words else [line for line in whole if line in told])
    assert told[-1] == "End"


def test_a_run_that_a_kill_interrupts_keeps_the_chain_it_was_started_with(make_server: MakeServer) -> None:
    server = make_server("")
    server.start()
    key = new_key(server)
    with asking(server, key) as ask:
        new_agent(ask, SLOW)
        task_id = ask("POST", "/workflow/five", {"input": {}})["id"]
        server.until(lambda: "N1: Running" in ask("GET", f"/task/{task_id}")["logs"])
        ask("POST", "/agent/five", {"name": "New", "description": "Other.", "workflow": []})
    server.kill_with_worker()
    server.start()
    task = ended(server, key, task_id)
    assert (task["name"], task["status"], task["output"]) == ("Five", "complete", {"said": "0123"}), task
    assert running_lines(task) == ["N0", "N1", "N1", "N2", "N3", "End"]


def test_an_agent_is_run_in_the_terminal(make_server: MakeServer) -> None:
    server = make_server("[[listen]]\naddress = '127.0.0.1:0'\nsurface = 'nla'\n")
    server.start()
    key = new_key(server)
    with asking(server, key) as ask:
        new_agent(ask, [*FIVE[:2], FIVE[4]])
        shown = server.cli("agent", "run", "five", "--input", "said=>")
        assert (shown.returncode, shown.stdout) == (0, ">0\n>01\n"), shown.stderr
        assert shown.stderr.splitlines()[1:] == ["N0: Running", "N1: Running", "End: Running"]
        told = json.loads(server.cli("agent", "run", "five", "--json", "--input", "said:=[1]").stdout)
        assert (told["state"], told["output"]) == ("succeeded", {"said": "[1]01"})
        assert [task["output"]["said"] for task in ask("GET", "/task")] == ["[1]01", ">01"]
        failed = server.cli("agent", "run", "five", "--input", "said=x", "--input", "nothing")
        assert (failed.returncode, failed.stdout) == (2, "")
        ask("POST", "/agent/five", {"name": "Five", "description": "Fails.", "workflow": [node(0, apikey="fail")]})
        failed = server.cli("agent", "run", "five", "--input", "said=x")
        assert (failed.returncode, failed.stdout) == (1, "")
        assert "Error: " in failed.stderr
    assert server.cli("agent", "run", "six").returncode == 2

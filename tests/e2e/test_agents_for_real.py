"""Agents on a real server, asking a language model on this machine: killed, stopped, started again."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.server_process import ServerProcess
from tests.model_servers import anthropic

from rota.core.agent import journal

pytestmark = pytest.mark.e2e

NODES = "\n".join(
    f"""
[[tasks.five.executor.nodes]]
type = "prompt"
name = "Node {n}"
system = ""
user = "{n}{{context}}"
llm = "claude"
apikey = "{{key}}"
model = "m"
temperature = 1
maxTokens = 100
output = "context"
"""
    for n in range(1, 6)
)
FIVE = f"""
[providers.claude]
base_url = "%s"
[tasks.five.executor]
kind = "agent"
variables = {{ context = "", key = "sk-key-0123456789" }}
{NODES}
[[tasks.five.executor.nodes]]
type = "return"
name = "Return"
output = "context"
"""
SAID = "54321"


class Model:
    """Echoes over Anthropic's wire, and counts what it was paid for. What is in `stuck` is begun and not ended."""

    def __init__(self) -> None:
        self.paid: Counter[str] = Counter()
        self.stuck: set[str] = set()
        self.has_begun = threading.Event()
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                text = asked["messages"][-1]["content"][0]["text"]
                model.paid[text] += 1
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                start, end = anthropic(text)[:4], anthropic(text)[4:]
                self.wfile.write("".join(start).encode())
                self.wfile.flush()
                if text in model.stuck:
                    model.has_begun.set()
                    model._over.wait(30)
                    return
                self.wfile.write("".join(end).encode())

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler


@pytest.fixture
def model() -> Iterator[Model]:
    model = Model()
    yield model
    model.close()


def items(server: ServerProcess, run_id: str) -> list[str]:
    return list(journal.decode(server.log_texts(run_id, "entry")))


def test_a_chain_killed_in_the_middle_of_a_prompt_pays_for_no_finished_one_again(make_server: MakeServer, model: Model) -> None:
    model.stuck = {"321"}
    server = make_server(FIVE % model.url)
    server.start()
    run_id = server.run("five")
    assert model.has_begun.wait(20)
    server.kill_with_worker()
    model.stuck = set()
    server.start()
    run = server.until_state(run_id)
    assert (run["state"], run["attempt"], run["output"]) == ("succeeded", 1, {"context": SAID}), run
    assert model.paid == {"1": 1, "21": 1, "321": 2, "4321": 1, "54321": 1}
    said = items(server, run_id)
    assert said[-2:] == [f"Response: {SAID}", "Return: Running"]
    assert said.count("Node 2: Running") in ([1] if server.keeps_last_words else [0, 1])
    assert "sk-key-0123456789" not in server.own_log()


@pytest.mark.timeout(300)
def test_a_chain_killed_behind_every_node_pays_for_each_once(make_server: MakeServer, model: Model) -> None:
    server = make_server(FIVE % model.url)
    server.start("node written, next not begun")
    run_id = server.post("/v1/tasks/five/run")["id"]
    assert server.wait() == -9
    for _ in range(4):
        server.launch("node written, next not begun")
        assert server.wait() == -9
    server.start()
    run = server.until_state(run_id)
    assert (run["state"], run["output"]) == ("succeeded", {"context": SAID}), run
    assert set(model.paid.values()) == {1}
    told = server.get(f"/v1/runs/{run_id}/steps")
    steps = told["items"]
    assert told["usage"] == {"input_tokens": 35, "output_tokens": 60}
    assert [step["name"] for step in steps] == [f"Node {n}" for n in range(1, 6)]
    assert steps[0]["usage"] == {"input_tokens": 7, "output_tokens": 12}
    assert "kept" not in steps[0]


def test_a_server_that_is_stopped_goes_on_with_its_agents_at_the_next_start(make_server: MakeServer, model: Model) -> None:
    model.stuck = {"21"}
    server = make_server(FIVE % model.url)
    server.start()
    run_id = server.run("five")
    assert model.has_begun.wait(20)
    assert server.stop() == 0
    model.stuck = set()
    server.start()
    run = server.until_state(run_id)
    assert (run["state"], run["output"]) == ("succeeded", {"context": SAID}), run
    assert model.paid["1"] == 1

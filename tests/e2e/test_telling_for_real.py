"""A failure is told although the server dies before the receiver has answered."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.server_process import ServerProcess, until

pytestmark = pytest.mark.e2e

SETTINGS = """
[notify]
coalesce_window = "0s"
[[notifier]]
id = "ops"
type = "webhook"
url = "http://127.0.0.1:{port}/hook"
[tasks.flaky]
retry_attempts = 1
retry_delay = "0.1s"
notify_on_failure = ["ops"]
run = "echo attempt $ROTA_ATTEMPT; exit $((ROTA_ATTEMPT + 10))"
"""


class Hook(ThreadingHTTPServer):
    """Takes posts and answers none of them before it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = threading.Event()
        self.seen: list[dict[str, Any]] = []
        self.answered: list[tuple[list[str], int]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append(body)
        if not self.server.answers.is_set():
            self.server.answers.wait(30)
            return
        self.server.answered.append((body["log_tail"], body["run"]["exit_code"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hooked() -> Iterator[Hook]:
    hook = Hook()
    thread = threading.Thread(target=hook.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield hook
    finally:
        hook.answers.set()
        hook.shutdown()
        thread.join()
        hook.server_close()


def deliveries(server: ServerProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get("/v1/deliveries")["items"]
    return found


def test_what_was_not_answered_is_told_again_in_order_after_kill_9(make_server: MakeServer) -> None:
    with hooked() as hook:
        server = make_server(SETTINGS.format(port=hook.server_port))
        server.start()
        server.until_state(server.run("flaky"), "failed")
        assert [body["run"]["exit_code"] for body in until(lambda: hook.seen)] == [11]
        server.kill()
        hook.answers.set()
        server.start()
        until(lambda: len(hook.answered) == 2)
        assert hook.answered == [(["attempt 1"], 11), (["attempt 1", "attempt 2"], 12)]
        until(lambda: [each["attempts"] for each in deliveries(server) if each["status"] == "delivered"] == [1, 2])
        assert server.get("/v1/notifications/unread") == {"count": 2}

"""A real server in a process of its own, and what a bench asks of it."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

STOP_S = 30.0
# Nothing of the caller's own Rota reaches the server that is measured.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("ROTA_", "RUNWISP_"))}


class Server(Struct, frozen=True):
    """A server that listens. `key` is a Bearer key of a user who may do everything."""

    pid: int
    port: int
    key: str
    data: Path

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request on a connection of its own. Raises RuntimeError for an answer that is an error."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            reply = connection.getresponse()
            text = reply.read()
        finally:
            connection.close()
        if reply.status >= 400:
            raise RuntimeError(f"{method} {path}: {reply.status} {text.decode()}")
        return json.loads(text) if text else None


@contextmanager
def serve(
    data: Path,
    *,
    config: Path | None = None,
    module: str = "rota",
    environ: Mapping[str, str] | None = None,
    with_key: bool = True,
) -> Iterator[Server]:
    """`python -m rota serve` on a data directory, up to the end of the block. `module` may be a program around it."""
    key = make_key(data) if with_key else ""
    command = [sys.executable, "-m", module, "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
    command += ["--config", str(config)] if config else []
    with (data.parent / f"{data.name}.err").open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env={**CLEAN, **(environ or {})}, text=True)
    try:
        yield Server(process.pid, read_port(process), key, data)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def read_port(process: "subprocess.Popen[str]") -> int:
    """The port of the greeting. Raises RuntimeError if the server ends without one."""
    assert process.stdout
    for line in process.stdout:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        if found:
            return int(found[1])
    raise RuntimeError(f"the server did not start: exit {process.wait()}")


def make_key(data: Path) -> str:
    """A user with every right, and its key."""
    rota("user", "add", "bench", "--right", "system.root", "--right", "task.shell", "--data", str(data))
    return rota("key", "add", "--user", "bench", "--for", "native", "--data", str(data)).strip()


def wait_until(condition: Any, limit_s: float, pause_s: float = 0.05) -> None:
    """Raises TimeoutError. Looks seldom, for looking costs the cores that are measured."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("what is measured did not come to its end")
        time.sleep(pause_s)


def rota(*words: str) -> str:
    """What that command prints."""
    return subprocess.run([sys.executable, "-m", "rota", *words], check=True, capture_output=True, text=True, env=CLEAN).stdout

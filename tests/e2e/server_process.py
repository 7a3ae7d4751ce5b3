"""A real server in a process of its own, as its operator has it: started, asked, killed, started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from tests.e2e.forker import ForkedServer, Forker

from rota.cli.online import address
from rota.core.states import LIVE
from rota.process import RUN_ID_VARIABLE

MARK = "E2E_MARK"
PATIENCE_S = 20.0
LOOK_S = 0.02
KEEPER_S = 5.0

T = TypeVar("T")
Run = dict[str, Any]


def until(look: Callable[[], T | None], told: Callable[[], str] = str, timeout_s: float = PATIENCE_S) -> T:
    """The first answer that is true. Fails with the last one, and with what `told` says."""
    give_up = time.monotonic() + timeout_s
    while not (answer := look()):
        if time.monotonic() > give_up:
            raise AssertionError(f"still {answer!r} after {timeout_s:g} s\n{told()}")
        time.sleep(LOOK_S)
    return answer


class ServerProcess:
    """One data directory and whoever serves it. All processes that come of it carry a mark in their environment.

    settings  the text of rota.toml; `write_settings` replaces it
    environ   variables of the server's environment, beside our own
    """

    def __init__(
        self, forker: Forker, folder: Path, settings: str, *, database: str | None = None, environ: dict[str, str] | None = None
    ) -> None:
        self._forker = forker
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "rota.toml"
        self._out = folder / "server.out"
        self._err = folder / "server.err"
        self._database = database
        self.mark = uuid4().hex
        self._environ = _clean_environ() | {MARK: self.mark, "WITNESS": str(folder)} | (environ or {})
        self._process: ForkedServer | None = None
        self._http: httpx.Client | None = None
        self.write_settings(settings)

    def write_settings(self, text: str) -> None:
        self.config.write_text(text)

    # Its life

    def start(self, crash_at: str | None = None, nth: int = 1) -> None:
        """Returns when it serves."""
        self.launch(crash_at, nth)
        until(lambda: self.has_greeted or not self.is_alive, self.own_log)
        assert self.is_alive, self.own_log()

    def launch(self, crash_at: str | None = None, nth: int = 1) -> None:
        """Start it, whatever becomes of it. With `crash_at` it dies at the nth moment of that name."""
        assert not self.is_alive
        self._out.write_bytes(b"")
        self._process = self._forker.fork(
            words=["serve", *self.place, "--listen", "127.0.0.1:0"], environ=self._environ, folder=str(self.folder),
            out=str(self._out), err=str(self._err), crash_at=crash_at, nth=nth,
        )  # fmt: skip

    def wait(self) -> int:
        """Its exit code, once it has ended by itself."""
        assert self._process is not None
        try:
            return self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server goes on\n{self.own_log()}") from None

    def kill(self) -> None:
        """kill -9. Does nothing to one that is dead already."""
        self.signal(signal.SIGKILL)
        self.wait()

    def kill_something(self, chance: Random) -> None:
        """kill -9 of one of those who can die apart from each other, or of several."""
        self.kill()

    def kill_with_worker(self) -> None:
        """kill -9 of whoever carries its runs out, too; what they have started is left."""
        self.kill()

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def signal(self, number: int) -> None:
        if self._process is not None and self.is_alive:
            self._process.send_signal(number)

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def place(self) -> list[str]:
        """The options that tell a command of this server."""
        database = ["--database", self._database] if self._database else []
        return ["--config", str(self.config), "--data", str(self.data), *database]

    @property
    def keeps_last_words(self) -> bool:
        """Whether a log holds all that was in it when whoever carried the run out was killed, to the last moment."""
        return True

    @property
    def work_data(self) -> Path:
        """The data directory of whoever carries its runs out."""
        return self.data

    @property
    def environ(self) -> dict[str, str]:
        """What processes of its installation are started with."""
        return self._environ

    @property
    def url(self) -> str:
        """Where its main listener is, for those who come over TCP."""
        return self._out.read_text().split("API      ")[1].split("/v1/")[0]

    def own_log(self) -> str:
        """Everything that all its lives have written."""
        return self._err.read_text() + self._out.read_text()

    # What can be asked of it, as its operator

    @property
    def http(self) -> httpx.Client:
        if self._http is None:
            transport = httpx.HTTPTransport(uds=address(self.data / "rota.sock"), verify=False)
            self._http = httpx.Client(transport=transport, base_url="http://rota", timeout=PATIENCE_S)
        return self._http

    def get(self, path: str, **query: Any) -> Any:
        return _answer(self.http.get(path, params=query))

    def post(self, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        return _answer(self.http.post(path, json=body or {}, params=query))

    def run(self, task: str, key: str | None = None, **params: Any) -> str:
        """Start a task. Returns the id of the run."""
        headers = {"Idempotency-Key": key} if key else {}
        run_id: str = _answer(self.http.post(f"/v1/tasks/{task}/run", json={"params": params}, headers=headers))["id"]
        return run_id

    def runs(self, **query: Any) -> list[Run]:
        """All of them, newest first."""
        found, page = list[Run](), self.get("/v1/runs", limit=1000, **query)
        found += page["items"]
        while page["next_cursor"]:
            page = self.get("/v1/runs", limit=1000, cursor=page["next_cursor"], **query)
            found += page["items"]
        return found

    def live_runs(self, task: str) -> list[Run]:
        return self.runs(task=task, state="pending,running")

    def until_state(self, run_id: str, *states: str) -> Run:
        """The run once it is in one of these states; without any, once it has ended."""
        return self.until(lambda: self._in_state(run_id, states))

    def until(self, look: Callable[[], T | None], timeout_s: float = PATIENCE_S) -> T:
        return until(look, self.own_log, timeout_s)

    def log_texts(self, run_id: str, stream: str = "stdout") -> list[str]:
        lines = self.get(f"/v1/runs/{run_id}/log", limit=10_000)["lines"]
        return [line["text"] for line in lines if line["stream"] == stream]

    def cli(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.cli_command(*words), input=stdin, env=self._environ, cwd=self.folder, capture_output=True, text=True,
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip

    def cli_command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "rota", *words, *self.place]

    def new_key(self, user: str, *rights: str) -> str:
        added = self.cli("user", "add", user, *(word for right in rights for word in ("--right", right)))
        assert added.returncode == 0, added.stderr
        return self.cli("key", "add", "--user", user, "--for", "native").stdout.strip()

    # What it has left on the machine

    def work_pids(self) -> dict[int, str]:
        """Processes of its runs that are alive, with their runs' ids."""
        return {pid: run_id for pid, run_id in _marked(self.mark) if run_id is not None}

    def pids_of(self, run_id: str) -> list[int]:
        return [pid for pid, of in self.work_pids().items() if of == run_id]

    def end(self) -> list[str]:
        """Stop it and clear away everything. Returns what should not have been there any more."""
        wrong = []
        if self.is_alive and self.stop() != 0:
            wrong.append(f"it ended with exit code {self.wait()}")
        if self._http is not None:
            self._http.close()
        with suppress(AssertionError):  # a keeper goes when it has ended what a dead server or worker had
            until(lambda: not any("keeper.py" in _command_line(pid) for pid, _ in _marked(self.mark)), timeout_s=KEEPER_S)
        for pid, run_id in _marked(self.mark):
            wrong.append(f"process {pid} of run {run_id} was left: {_command_line(pid)}")
            os.kill(pid, signal.SIGKILL)
        return wrong

    @property
    def has_greeted(self) -> bool:
        """Whether it serves, or did before it died."""
        return "/metrics" in self._out.read_text()

    def _in_state(self, run_id: str, states: Sequence[str]) -> Run | None:
        run: Run = self.get(f"/v1/runs/{run_id}")
        return run if (run["state"] in states if states else run["state"] not in LIVE) else None


def _answer(reply: httpx.Response) -> Any:
    assert reply.is_success, f"{reply.request.method} {reply.request.url}: {reply.status_code} {reply.text}"
    return json.loads(reply.content) if reply.content else None


def _clean_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("ROTA_", "RUNWISP_"))}


def _marked(mark: str) -> Iterator[tuple[int, str | None]]:
    """Living processes that carry the mark, with the run they belong to."""
    for folder in Path("/proc").glob("[0-9]*"):
        variables = _variables(folder)
        if variables.get(MARK) == mark:
            yield int(folder.name), variables.get(RUN_ID_VARIABLE)


def _variables(folder: Path) -> dict[str, str]:
    """Empty for one that has ended, though nobody has waited for it yet."""
    try:
        data = (folder / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (item.partition("=") for item in data.decode(errors="replace").split("\0"))
    return {name: value for name, _, value in pairs}


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:200]
    except OSError:
        return "ended meanwhile"

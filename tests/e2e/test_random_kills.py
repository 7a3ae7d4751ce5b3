"""kill -9 at random moments under load, again and again on the same data."""

import itertools
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from tests import under
from tests.e2e.conftest import MakeServer
from tests.e2e.promise import check_journal, check_promise
from tests.e2e.server_process import ServerProcess
from tests.e2e.witness import toml_script

from rota.cli.online import answers

pytestmark = pytest.mark.e2e

SETTINGS = f"""
[tasks.work]
max_concurrent = 3
queue_max = 1000
run = {toml_script("echo working; sleep 0.03")}

[tasks.flaky]
max_concurrent = 3
retry_attempts = 2
retry_delay = "0.05s"
run = {toml_script('test "$ROTA_ATTEMPT" -gt 1')}

[tasks.beat]
cron = "* * * * * *"
catch_up = "all"
run = {toml_script()}

[tasks.after]
on_event = "run.succeeded.flaky"
run = {toml_script()}

[services.web]
instances = 2
restart_delay = "0s"
graceful_stop = "0.2s"
run = {toml_script("while :; do sleep 0.05; done")}
"""
# Beside a worker a server takes longer to begin, longer to find out that it has died, and longer for each run.
LONGEST_LIFE_S = 5.0 if under.scale else 1.2
MOST_A_LIFE = 8 if under.scale else 30


class Load:
    """Asks for runs, each by a key of its own, and again by the same key where no answer came."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._keys: Iterator[int] = itertools.count()
        self._unanswered: tuple[str, str] | None = None
        self.answered: dict[str, list[str]] = {"work": [], "flaky": []}

    def ask(self) -> None:
        number = next(self._keys)
        task, key = self._unanswered or (("work", "flaky")[number % 2], f"key {number}")
        self._unanswered = task, key
        self.answered[task].append(self._server.run(task, key))
        self._unanswered = None

    def count(self) -> int:
        return sum(map(len, self.answered.values()))

    def go_on(self, until: float) -> None:
        most = self.count() + MOST_A_LIFE
        while time.monotonic() < until:
            if self.count() == most or not answers(self._server.data / "rota.sock"):
                time.sleep(0.01)
                continue
            # A process that the dead server was just about to start may hold its socket for a moment longer.
            with suppress(httpx.TransportError):
                self.ask()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [15])
def test_the_promise_holds_through_random_kills(make_server: MakeServer, database_url: str | None, kills: int) -> None:
    seed = os.environ.get("E2E_SEED") or str(random.SystemRandom().randrange(1_000_000))
    sys.stdout.write(f"again with E2E_SEED={seed}\n")
    chance = random.Random(seed)
    server = make_server(SETTINGS, database=database_url)
    load = Load(server)
    for _ in range(kills):
        server.launch()
        load.go_on(time.monotonic() + chance.uniform(0.1, LONGEST_LIFE_S))
        assert server.is_alive, server.own_log()
        server.kill_something(chance)
    server.start()
    load.ask()
    server.post("/v1/tasks/beat/pause")
    check_promise(server, {"beat": len(server.get("/v1/tasks/beat/slots", limit=1000)["items"])})
    for task, asked_for in load.answered.items():
        assert sorted(run["id"] for run in all_runs(server, task)) == sorted(asked_for)
    succeeded = {run["id"] for run in all_runs(server, "flaky") if run["state"] == "succeeded"}
    assert {run["cause_run_id"] for run in all_runs(server, "after")} == succeeded
    assert server.stop() == 0
    check_journal(server)


def all_runs(server: ServerProcess, task: str) -> list[dict[str, str]]:
    return server.runs(task=task)

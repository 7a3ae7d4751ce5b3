"""Two servers on one PostgreSQL: what one loses the other carries on, and nothing is done twice or not at all."""

import hashlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.server_process import ServerProcess
from tests.postgres_server import Server, run_server

from rota.core.ulid import to_ulid

pytestmark = [pytest.mark.e2e, pytest.mark.embedded("servers that carry out what they plan, on a PostgreSQL of their own")]

SETTINGS = """
[server]
node = "{name}"
max_concurrent_runs = 3

[tasks.tick]
cron = "* * * * * *"
run = "true"
max_concurrent = 9

[tasks.work]
run = "echo began; sleep 60"
max_concurrent = 9

[tasks.again]
run = "sleep 60"
resume_after_crash = true
"""
PASSWORD = "correct horse"
# From the death of who leads to the next slot that is fired.
HAND_OVER_S = 10.0


class Pair(NamedTuple):
    """`a` leads at first."""

    a: ServerProcess
    b: ServerProcess
    postgres: Server

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url, autocommit=True) as c:
            return c.execute(sql).fetchall()

    def until_slots_after(self, at: float, count: int = 1) -> None:
        fired = f"SELECT 1 FROM slots WHERE nominal_at > {int(at * 1e6)} OFFSET {count - 1} LIMIT 1"
        self.b.until(lambda: self.ask(fired))

    def check_slots(self) -> None:
        """One for each second, with one run each; none was missed."""
        slots = [row[0] for row in self.ask("SELECT nominal_at / 1000000 FROM slots ORDER BY nominal_at")]
        assert slots == list(range(slots[0], slots[-1] + 1))
        assert self.ask("SELECT nominal_at FROM runs WHERE nominal_at IS NOT NULL GROUP BY 1 HAVING count(*) > 1") == []
        assert self.ask("SELECT id FROM runs WHERE state = 'missed'") == []


def nodes_of(server: ServerProcess) -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in server.get("/v1/nodes")["items"]}


def leader(server: ServerProcess) -> str | None:
    return next((name for name, node in nodes_of(server).items() if node["leads"]), None)


def node_of(pair: Pair, run_id: str) -> str | None:
    found = pair.ask(f"SELECT node FROM runs WHERE id = '{run_id}' AND state = 'running'")
    return found[0][0] if found else None


def is_frozen(server: ServerProcess) -> bool:
    return Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with run_server({"synchronous_commit": "on"}) as server:
        yield server


@pytest.fixture
def pair(postgres: Server, make_server: MakeServer) -> Pair:
    """Nothing is started yet."""
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    a, b = (
        make_server(SETTINGS.format(name=name), database=postgres.url, environ={"ROTA_RUNWISP_PASSWORD": PASSWORD})
        for name in "ab"
    )
    return Pair(a, b, postgres)


def test_when_the_leader_dies_while_it_fires_the_other_takes_over_what_it_planned_and_ran(pair: Pair) -> None:
    a, b, _ = pair
    a.start(crash_at="slots fired, not committed", nth=6)
    work, again = a.run("work"), a.run("again")
    a.until_state(work, "running")
    a.until_state(again, "running")
    b.start()
    assert leader(b) == "a"
    a.wait()
    died_at = time.time()
    pair.until_slots_after(died_at)
    assert time.time() - died_at < HAND_OVER_S
    assert leader(b) == "b"
    assert b.until_state(work)["reason"] == "node_died"
    resumed = b.until(lambda: node_of(pair, again) == "b" and b.get(f"/v1/runs/{again}"))
    assert (resumed["state"], resumed["attempt"]) == ("running", 1)
    pair.check_slots()
    assert [bool(server.pids_of(again)) for server in pair[:2]] == [False, True], "no script outlives its node"
    assert not a.pids_of(work)
    a.start()
    assert (leader(a), set(nodes_of(a))) == ("b", {"a", "b"})


def test_a_leader_that_was_frozen_finds_itself_given_up_and_comes_back_as_another_node(pair: Pair) -> None:
    a, b, _ = pair
    a.start(crash_at="slots fired, frozen before they are committed", nth=5)
    work = a.run("work")
    a.until_state(work, "running")
    b.start()
    before = nodes_of(b)["a"]["id"]
    b.until(lambda: is_frozen(a))
    frozen_at = time.monotonic()
    assert b.until_state(work)["reason"] == "node_died"
    assert list(nodes_of(b)) == ["b"]
    assert not a.pids_of(work), "it had ended before it was given up"
    time.sleep(max(0.0, 12 - (time.monotonic() - frozen_at)))
    a.signal(signal.SIGCONT)
    after = b.until(lambda: nodes_of(b).get("a"))
    assert "loop has to wait" in a.own_log(), "what it was about to write is refused"
    assert (after["id"] != before, after["leads"], leader(a)) == (True, False, "b")
    assert a.get(f"/v1/runs/{work}")["reason"] == "node_died"
    pair.until_slots_after(time.time())
    pair.check_slots()
    ended = a.run("tick")
    assert a.until_state(ended)["state"] == "succeeded"


def test_each_node_serves_all_of_them_and_both_go_on_when_the_database_comes_back(pair: Pair) -> None:
    a, b, postgres = pair
    a.start()
    b.start()
    with b.http.stream("GET", "/v1/stream") as stream:
        runs = [b.run("work") for _ in range(5)]
        places = b.until(lambda: _all(node_of(pair, run_id) for run_id in runs))
        assert set(places) == {"a", "b"}
        there = runs[places.index("a")]
        lines = stream.iter_lines()
        told = next(line for line in lines if line.startswith("data:") and there in line and '"running"' in line)
        assert json.loads(told.removeprefix("data:"))
    b.until(lambda: b.log_texts(there) == ["began"])
    asked_at = time.monotonic()
    b.post(f"/v1/runs/{there}/cancel")
    b.until_state(there, "canceled")
    assert time.monotonic() - asked_at < 3
    table = b.cli("nodes").stdout.split()
    assert (table.count("plans"), table.count("carries")) == (1, 1)
    postgres.stop(signal.SIGQUIT)
    postgres.start()
    back_at = time.time()
    pair.until_slots_after(back_at + 2)
    pair.check_slots()
    rest = [run_id for run_id in runs if run_id != there]
    assert [a.get(f"/v1/runs/{run_id}")["state"] for run_id in rest] == ["running"] * 4
    assert a.stop() == 0  # hands over at once, and its work is done elsewhere or ended
    stopped_at = time.time()
    pair.until_slots_after(stopped_at)
    assert time.time() - stopped_at < 3
    assert leader(b) == "b"
    pair.check_slots()


def test_what_was_begun_at_one_node_goes_on_at_another(pair: Pair) -> None:
    a, b, _ = pair
    a.start()
    b.start()
    run_ids = [a.run("work", key=f"same {n}") for n in range(5)]
    assert [b.run("work", key=f"same {n}") for n in range(5)] == run_ids
    there = a.until(lambda: next((run_id for run_id in run_ids if node_of(pair, run_id) == "b"), None))
    files = b.until(lambda: list((b.data / "logs").rglob(f"*{there}*")))
    a.post(f"/v1/runs/{there}/cancel")
    a.until_state(there, "canceled")
    session = log_in(a, b)
    b.stop()
    run = f"/runwisp/api/tasks/work/runs/{to_ulid(there)}"
    httpx.delete(a.url + run, headers={"Authorization": f"Bearer {session}"}).raise_for_status()
    a.until(lambda: not pair.ask(f"SELECT 1 FROM runs WHERE id = '{there}'"))
    assert all(file.exists() for file in files)
    b.start()
    b.until(lambda: not any(file.exists() for file in files))
    b.until(lambda: not pair.ask("SELECT 1 FROM gone_logs"))


def test_a_key_that_is_taken_back_at_one_node_ends_streams_at_another(pair: Pair) -> None:
    a, b, _ = pair
    a.start()
    b.start()
    taken, kept = a.new_key("ada"), a.new_key("ben", "system.root")
    headers = [{"Authorization": f"Bearer {key}"} for key in (taken, kept)]
    with (
        httpx.stream("GET", f"{b.url}/v1/stream", headers=headers[0], timeout=20) as lost,
        httpx.stream("GET", f"{b.url}/v1/stream", headers=headers[1], timeout=20) as other,
    ):
        assert a.cli("key", "revoke", "--secret-stdin", stdin=taken).returncode == 0
        revoked_at = time.monotonic()
        assert list(lost.iter_lines())[2:] == []
        assert time.monotonic() - revoked_at < 2
        assert any("run.created" in line for line in other.iter_lines())


def log_in(asked: ServerProcess, answered: ServerProcess) -> str:
    """With a challenge of one node at another. Returns the session, which any of them knows."""
    nonce = httpx.get(f"{asked.url}/runwisp/api/auth/challenge").json()["nonce"]
    response = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), nonce.encode(), 600_000, 32).hex()
    login = {"nonce": nonce, "response": response}
    session = httpx.post(f"{answered.url}/runwisp/api/auth", json=login).raise_for_status().json()["token"]
    assert httpx.post(f"{asked.url}/runwisp/api/auth", json=login).status_code == 401, "it was used"
    return str(session)


def _all(found: Iterator[str | None]) -> list[str] | None:
    known = [each for each in found if each]
    return known if len(known) == 5 else None

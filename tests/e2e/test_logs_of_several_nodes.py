"""Logs and artifacts of two servers on one PostgreSQL, asked for at the one that did not carry the run out."""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from threading import Thread
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from tests.blobs.seaweed import run_bucket
from tests.e2e.conftest import MakeServer
from tests.e2e.free_port import free_port
from tests.e2e.server_process import ServerProcess
from tests.postgres_server import Server, run_server

from rota.blobs.s3 import Bucket
from rota.core.ulid import to_ulid

pytestmark = pytest.mark.e2e

LINES = 20
SETTINGS = """
[server]
node = "{name}"
max_concurrent_runs = 1

[[listen]]
address = "127.0.0.1:{port}"
surface = "runwisp"

[tasks.clock]
run = '''printf '\\r10%%\\r20%%' >&2; for n in $(seq {lines}); do date +%s.%N; sleep 0.1; done'''
max_concurrent = 9

[tasks.slow]
run = 'echo began; sleep 60'

[tasks.leaves]
run = 'mkdir "$ROTA_ARTIFACTS" && echo 1,2 > "$ROTA_ARTIFACTS/numbers.csv"; echo "left on $ROTA_RUN_ID"'
max_concurrent = 9
{more}
"""
BUCKET = """
[blobs]
kind = "s3"
bucket = "{bucket.name}"
endpoint = "{bucket.endpoint}"
access_key = "{key}"
secret_key = "{secret}"
"""
# How far a reader on another machine may be behind.
BEHIND_S = 0.5
# Machines that do more than one test at a time are given more.
PATIENT_S = 3 * BEHIND_S


class Pair(NamedTuple):
    a: ServerProcess
    b: ServerProcess
    ports: dict[str, int]
    postgres: Server

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url, autocommit=True) as c:
            return c.execute(sql).fetchall()

    def start_on(self, task: str, name: str) -> str:
        """A run that this node carries out."""
        server = self.a if name == "a" else self.b
        while True:
            run_id = server.run(task)
            found = server.until(partial(self.ask, f"SELECT node FROM runs WHERE id = '{run_id}' AND node IS NOT NULL"))
            if found[0][0] == name:
                return run_id
            server.until_state(run_id)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with run_server() as server:
        yield server


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with run_bucket(tmp_path_factory.mktemp("seaweed")) as bucket:
        yield bucket


@pytest.fixture
def make_pair(postgres: Server, make_server: MakeServer) -> Callable[..., Pair]:
    """Nothing is started yet."""
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def make(more: str = "") -> Pair:
        ports = {name: free_port() for name in "ab"}
        a, b = (
            make_server(
                SETTINGS.format(name=name, port=ports[name], lines=LINES, more=more),
                database=postgres.url,
                environ={"ROTA_RUNWISP_NO_AUTH": "1"},
            )
            for name in "ab"
        )
        return Pair(a, b, ports, postgres)

    return make


class Follower(Thread):
    """Notes how far behind each line of `clock` comes that was written since."""

    def __init__(self, server: ServerProcess, key: str, run_id: str) -> None:
        super().__init__()
        self._place = httpx.URL(f"{server.url}/v1/runs/{run_id}/log/stream")
        self._key = key
        self.lines: list[float] = []
        self.behind_s: list[float] = []
        self.start()

    def run(self) -> None:
        with httpx.stream("GET", self._place, headers={"Authorization": f"Bearer {self._key}"}, timeout=20) as reply:
            began_at = time.time()
            for line in reply.iter_lines():
                said = json.loads(line[5:]) if line.startswith("data:") else {}
                if said.get("stream") == "stdout":
                    self.lines.append(float(said["text"]))
                    if self.lines[-1] > began_at:
                        self.behind_s.append(time.time() - self.lines[-1])


def files(server: ServerProcess, run_id: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (server.data / "logs").rglob(f"*{run_id}*")}


def test_a_log_is_followed_searched_and_read_on_the_other_node_also_through_a_restart_of_the_database(
    make_pair: Callable[..., Pair],
) -> None:
    pair = make_pair()
    a, b = pair.a, pair.b
    a.start()
    old = a.run("clock")
    a.until_state(old)
    assert pair.ask("SELECT * FROM log_chunks") == []  # a lone server tells nobody anything
    b.start()
    assert b.log_texts(old) == a.log_texts(old) != []
    a.until(lambda: len(a.get("/v1/nodes")["items"]) == 2)
    key = b.new_key("reader", "system.root")
    run_id = pair.start_on("clock", "a")
    follower = Follower(b, key, run_id)
    with httpx.stream(
        "GET", f"http://127.0.0.1:{pair.ports['b']}/api/tasks/clock/runs/{to_ulid(run_id)}/log/stream", timeout=20
    ) as reply:
        assert next(line for line in reply.iter_lines() if "20%" in line)
    b.until_state(run_id)
    follower.join(10)
    assert len(follower.lines) == LINES
    assert len(follower.behind_s) > LINES // 2
    assert sorted(follower.behind_s)[len(follower.behind_s) // 2] < BEHIND_S
    assert max(follower.behind_s) < PATIENT_S
    found = httpx.get(
        f"http://127.0.0.1:{pair.ports['b']}/api/tasks/clock/log/search", params={"q": f"{follower.lines[3]:.6f}"[:14]}
    )
    assert run_id_of(found) == to_ulid(run_id), found.text
    assert files(b, run_id) == files(a, run_id)
    again = pair.start_on("clock", "a")
    follower = Follower(b, key, again)
    pair.postgres.stop()
    time.sleep(0.5)
    pair.postgres.start()
    assert a.until_state(again)["state"] == "succeeded"
    follower.join(10)
    assert b.log_texts(again) == a.log_texts(again)
    assert len(a.log_texts(again)) == LINES
    assert files(b, again) == files(a, again)


def test_what_a_node_has_told_outlives_it(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair()
    a, b = pair.a, pair.b
    a.start()
    untold = a.run("leaves")
    a.until_state(untold)
    b.start()
    a.until(lambda: len(a.get("/v1/nodes")["items"]) == 2)
    run_id = pair.start_on("slow", "a")
    b.until(lambda: b.log_texts(run_id) == ["began"])
    a.kill()
    assert b.until_state(run_id)["reason"] == "node_died"
    assert b.log_texts(run_id) == ["began"]
    refused = b.http.get(f"/v1/runs/{untold}/log")
    assert (refused.status_code, refused.json()["detail"]) == (409, "the log of this run is on the node a, which is not there")
    a.start()  # ends what it has left running
    assert b.until(lambda: b.http.get(f"/v1/runs/{untold}/log").is_success)
    assert b.log_texts(untold) == [f"left on {untold}"]


def test_without_a_bucket_it_is_said_what_does_not_work(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair()
    a, b = pair.a, pair.b
    a.start()
    b.start()
    a.until(lambda: len(a.get("/v1/nodes")["items"]) == 2)
    run_id = pair.start_on("leaves", "a")
    a.until_state(run_id)
    [item] = b.get(f"/v1/runs/{run_id}/artifacts")["items"]
    assert a.http.get(f"/v1/runs/{run_id}/artifacts/{item['id']}").content == b"1,2\n"
    refused = b.http.get(f"/v1/runs/{run_id}/artifacts/{item['id']}")
    assert refused.status_code == 409
    assert "[blobs]" in refused.json()["detail"]
    notes = b.until(lambda: httpx.get(f"{b.url}/readyz").json().get("notes"))
    assert "[blobs]" in notes["blobs"]


def test_with_a_bucket_artifacts_and_ended_logs_are_there_for_all(make_pair: Callable[..., Pair], bucket: Bucket) -> None:
    assert bucket.access_key and bucket.secret_key
    pair = make_pair(BUCKET.format(bucket=bucket, key=bucket.access_key.reveal(), secret=bucket.secret_key.reveal()))
    a, b = pair.a, pair.b
    a.start()
    b.start()
    a.until(lambda: len(a.get("/v1/nodes")["items"]) == 2)
    run_id = pair.start_on("leaves", "a")
    a.until_state(run_id)
    [item] = b.get(f"/v1/runs/{run_id}/artifacts")["items"]
    assert b.http.get(f"/v1/runs/{run_id}/artifacts/{item['id']}").content == b"1,2\n"
    a.until(lambda: pair.ask(f"SELECT 1 FROM run_logs WHERE run_id = '{run_id}' AND is_whole = 1"))
    a.kill()  # and the next who plans moves what is over
    b.until(lambda: pair.ask(f"SELECT 1 FROM run_logs WHERE run_id = '{run_id}' AND kept_seq > 0"))
    assert pair.ask(f"SELECT * FROM log_chunks WHERE run_id = '{run_id}'") == []
    assert b.log_texts(run_id) == [f"left on {run_id}"]


def run_id_of(found: httpx.Response) -> str:
    hits = found.json()["hits"]
    return hits[0]["run_id"] if hits else ""

"""Servers, workers, Temporal and PostgreSQL, all real: who carries out what, and what becomes of it when one of them dies.

The work itself counts: each attempt writes a line when it begins and one when it ends, and a second one that begins meanwhile is
told apart by its worker's name.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.forker import Forker
from tests.e2e.server_process import ServerProcess
from tests.e2e.worker_process import WorkerProcess
from tests.temporal_server import TemporalServer

pytestmark = pytest.mark.e2e

SETTINGS = """
[runner]
kind = "temporal"
address = "{address}"
task_queue = "{queue}"

[tasks.hello]
run = 'echo "hello from $WORKER"; echo oops >&2; exit 3'

[tasks.long]
run = 'echo "began $WORKER" | tee -a $WITNESS/long; while true; do sleep 0.05; date +%s.%N >> $WITNESS/beats.$WORKER; done'
resume_after_crash = true

[tasks.short]
run = 'echo one; sleep 1.5; echo two'

[tasks.slow]
run = 'sleep 60'
timeout = "1s"

[tasks.train]
run = 'echo $WORKER'
runs_on = ["gpu"]
"""
MakeWorker = Callable[..., WorkerProcess]


@pytest.fixture
def server(make_server: MakeServer, temporal: TemporalServer, postgres_url: str) -> Iterator[ServerProcess]:
    name = f"fleet_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    server = make_server(
        SETTINGS.format(address=temporal.address, queue=name), database=postgres_url.replace("/postgres?", f"/{name}?")
    )
    server.start()
    yield server


@pytest.fixture
def make_worker(server: ServerProcess, forker: Forker) -> Iterator[MakeWorker]:
    with ExitStack() as stack:

        def make(name: str, *words: str) -> WorkerProcess:
            worker = WorkerProcess(forker, server, name, *words)
            stack.callback(worker.end)
            worker.start()
            return worker

        yield make


def beats(server: ServerProcess, worker: str) -> list[float]:
    file = server.folder / f"beats.{worker}"
    return [float(line) for line in file.read_text().splitlines()[:-1]] if file.exists() else []


def began(server: ServerProcess) -> list[str]:
    file: Path = server.folder / "long"
    return file.read_text().split("\n")[:-1] if file.exists() else []


def test_a_run_is_carried_out_by_a_worker_with_its_log_and_outcome(server: ServerProcess, make_worker: MakeWorker) -> None:
    waiting = server.run("hello")
    assert server.until_state(waiting, "pending")["reason"] in (None, "no_place")
    server.until(lambda: server.get(f"/v1/runs/{waiting}")["error"] == "there is no worker")
    worker = make_worker("w1")
    ended = server.until_state(waiting)
    assert (ended["state"], ended["exit_code"], ended["attempt"], ended["reason"]) == ("failed", 3, 1, None)
    lines = server.get(f"/v1/runs/{waiting}/log")["lines"]
    assert {(line["stream"], line["text"]) for line in lines} == {("stdout", "hello from w1"), ("stderr", "oops")}
    workers = [node for node in server.get("/v1/nodes")["items"] if node["kind"] == "worker"]
    assert [(node["capacity"], node["labels"]) for node in workers] == [(64, [])]
    long = server.run("long")
    server.until(lambda: began(server))
    assert worker.end() == 0
    assert server.pids_of(long) == []
    server.post(f"/v1/runs/{long}/cancel")
    assert server.until_state(long)["state"] == "canceled"


def test_labels_timeouts_stops_and_the_log_while_it_grows(server: ServerProcess, make_worker: MakeWorker) -> None:
    make_worker("plain")
    train, slow, long = server.run("train"), server.run("slow"), server.run("long")
    server.until(lambda: server.get(f"/v1/runs/{train}")["error"] == "no worker offers gpu")
    assert {"why": "no worker offers gpu", "runs": 1} in server.get("/v1/nodes")["unplaced"]
    make_worker("gpu", "--labels", "gpu,eu")
    assert server.until_state(train)["state"] == "succeeded"
    assert server.log_texts(train) == ["gpu"]
    assert server.until_state(slow)["state"] == "timed_out"
    server.until(lambda: server.log_texts(long))
    assert server.get(f"/v1/runs/{long}")["state"] == "running"
    server.post(f"/v1/runs/{long}/cancel")
    assert server.until_state(long)["state"] == "canceled"
    assert server.pids_of(long) == []


def test_a_server_that_was_killed_goes_on_with_what_its_workers_do(server: ServerProcess, make_worker: MakeWorker) -> None:
    make_worker("w1")
    run = server.run("short")
    server.until(lambda: server.log_texts(run) == ["one"])
    server.kill()
    server.start()
    ended = server.until_state(run)
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1)
    assert server.log_texts(run) == ["one", "two"]


def test_a_worker_ends_what_it_has_left_when_nobody_else_could(server: ServerProcess, make_worker: MakeWorker) -> None:
    worker = make_worker("w1")
    run = server.run("long")
    server.until(lambda: began(server))
    worker.kill_with_keeper()
    assert server.pids_of(run)
    worker.start()
    assert server.pids_of(run) == []
    server.post(f"/v1/runs/{run}/cancel")
    assert server.until_state(run)["state"] == "canceled"


def test_temporal_may_restart_while_work_goes_on(
    server: ServerProcess, make_worker: MakeWorker, temporal: TemporalServer
) -> None:
    make_worker("w1")
    run = server.run("short")
    server.until(lambda: server.log_texts(run) == ["one"])
    temporal.stop()
    temporal.start()
    assert server.until_state(run)["state"] == "succeeded"
    assert server.until_state(server.run("short"))["state"] == "succeeded"


def test_the_work_of_a_worker_that_is_killed_is_done_elsewhere_and_never_twice_at_once(
    server: ServerProcess, make_worker: MakeWorker
) -> None:
    first = make_worker("w1")
    run = server.run("long")
    server.until(lambda: server.log_texts(run) == ["began w1"])  # told: the last tenths of a second go with it
    make_worker("w2")
    lost_at = time.time()
    first.kill()
    server.until(lambda: began(server) == ["began w1", "began w2"], timeout_s=25)
    server.until(lambda: beats(server, "w2"))
    assert time.time() - lost_at < 25
    assert beats(server, "w1")[-1] < beats(server, "w2")[0]
    server.post(f"/v1/runs/{run}/cancel")
    assert server.until_state(run)["state"] == "canceled"
    assert [line for line in server.log_texts(run) if line.startswith("began")] == ["began w1", "began w2"]

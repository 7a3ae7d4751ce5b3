"""The same runs by one server alone, by one on PostgreSQL, and by one and two workers through Temporal."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.postgres_server import run_server
from tests.temporal_server import run_temporal

from bench.figure import Figure, figure, percentile
from bench.scratch import new_data, new_folder
from bench.server import CLEAN, Server, rota, serve, wait_until

SETUPS = ("sqlite", "postgres", "temporal, 1 worker", "temporal, 2 workers")
LIMIT_S = 180.0
SETTLED_S = 3.0  # until a worker is known, and takes from its queue
# Work that waits, as most does: how much of it goes on at once depends on places, and hardly on the cores of this machine.
PLACES, WAIT_S = 4, 2.0


def measure(quick: bool) -> list[Figure]:
    """Runs of `true` a second, created to ended, and from asking for a run to the first thing that it does."""
    count, turns = (60, 5) if quick else (400, 30)
    with ExitStack() as stack:
        url = stack.enter_context(run_server({"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"})).url
        temporal = stack.enter_context(run_temporal(new_folder("temporal")))
        told = {name: _measure(name, url, temporal.address, count, turns) for name in SETUPS}
        waited = {name: _measure_waiting(name, url, temporal.address, quick) for name in SETUPS if "temporal" in name}
    alone = told["sqlite"]
    note = "all on one machine: Temporal's development server, with its state in SQLite, shares the cores with the rest"
    figures = []
    for name, (per_s, start_ms) in told.items():
        figures += [
            figure(
                f"{count} runs of sh -c true, {name}", per_s, "runs/s", reference=alone[0], reference_name="sqlite", note=note
            ),
            figure(
                f"from asking to the first act of a run, {name}, p50", start_ms, "ms", reference=alone[1],
                reference_name="sqlite", less_is_better=True,
            ),
        ]  # fmt: skip
    return [*figures, *_waiting_figures(waited)]


def _waiting_figures(waited: dict[str, float]) -> list[Figure]:
    note = f"each worker has {PLACES} places; the reference is what they would do if nothing but the work took time"
    return [
        figure(
            f"runs of sleep {WAIT_S:g}, {name}", per_s, "runs/s", reference=_workers(name) * PLACES / WAIT_S,
            reference_name="places", note=note,
        )
        for name, per_s in waited.items()
    ]  # fmt: skip


def _measure(name: str, url: str, address: str, count: int, turns: int) -> tuple[float, float]:
    """Runs a second, and milliseconds."""
    with _installed(name, _new_database(url, f"fleet_{SETUPS.index(name)}"), address) as server:
        many = server.ask("POST", "/v1/tasks", _task("many", "true"))["id"]
        first = server.ask("POST", "/v1/tasks", _task("first", "date +%s%N"))["id"]
        _run_many(server, many, 10)
        return _run_many(server, many, count), percentile(_latencies(server, first, turns), 0.5)


def _measure_waiting(name: str, url: str, address: str, quick: bool) -> float:
    """Runs a second; as many for each place, however many there are."""
    count = _workers(name) * PLACES * (3 if quick else 10)
    with _installed(name, _new_database(url, f"waiting_{SETUPS.index(name)}"), address, "--capacity", str(PLACES)) as server:
        waiting = server.ask("POST", "/v1/tasks", _task("waiting", f"sleep {WAIT_S:g}"))["id"]
        _run_many(server, waiting, PLACES)
        return _run_many(server, waiting, count)


@contextmanager
def _installed(name: str, database: str, address: str, *words: str) -> Iterator[Server]:
    """A server, and its workers that `words` are for, if it has any; they are ready."""
    data = new_data()
    config = data.parent / "rota.toml"
    fleet = f'[runner]\nkind = "temporal"\naddress = "{address}"\ntask_queue = "{data.parent.name}"'
    lines = ["[server]", f'database = "{database}"' if name != "sqlite" else "", fleet if _workers(name) else ""]
    config.write_text("\n".join(lines) + "\n")
    with ExitStack() as stack:
        server = stack.enter_context(serve(data, config=config, with_key=False))
        for number in range(_workers(name)):
            stack.enter_context(_work(config, data.parent / f"worker{number}", *words))
        time.sleep(SETTLED_S if _workers(name) else 0)
        yield Server(server.pid, server.port, _make_key(config, data), data)


def _workers(name: str) -> int:
    return int(name.split()[1]) if "temporal" in name else 0


def _task(name: str, script: str) -> dict[str, Any]:
    policy = {"max_concurrent": 64, "queue_max": 10_000}
    return {"name": name, "executor": {"kind": "shell", "script": script}, "policy": policy}


def _run_many(server: Server, task_id: str, count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        server.ask("POST", f"/v1/tasks/{task_id}/run", {})
    wait_until(lambda: not server.ask("GET", f"/v1/runs?task={task_id}&state=pending,running&limit=1")["items"], LIMIT_S)
    return count / (time.perf_counter() - begin)


def _latencies(server: Server, task_id: str, turns: int) -> list[float]:
    took = []
    for _ in range(turns):
        asked_ns = time.time_ns()
        run_id = server.ask("POST", f"/v1/tasks/{task_id}/run", {})["id"]
        wait_until(lambda: server.ask("GET", f"/v1/runs/{run_id}")["state"] == "succeeded", LIMIT_S)  # noqa: B023  at once
        took.append((int(server.ask("GET", f"/v1/runs/{run_id}/log")["lines"][0]["text"]) - asked_ns) / 1e6)
    return took


def _make_key(config: Path, data: Path) -> str:
    place = ("--config", str(config), "--data", str(data))
    rota("user", "add", "bench", "--right", "system.root", "--right", "task.shell", *place)
    return rota("key", "add", "--user", "bench", "--for", "native", *place).strip()


def _new_database(url: str, database: str) -> str:
    import psycopg

    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {database}")
    return url.replace("/postgres?", f"/{database}?")


@contextmanager
def _work(config: Path, data: Path, *words: str) -> Iterator[None]:
    command = [sys.executable, "-m", "rota", "worker", "--config", str(config), "--data", str(data), *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=CLEAN)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()

"""No-op runs of modules created and drained by the real server, and how soon a module starts; other task queues beside it."""

import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tests.postgres_server import run_server

from bench.drain import DURABLE, PEERS, install_huey, on_postgres, on_sqlite, run_huey
from bench.figure import Figure, figure, in_turns, percentile
from bench.peers import install, run_peer
from bench.scratch import new_data, new_folder
from bench.server import Server, serve
from rota.core.work import Module

NOOP = Module(module="noop")
TEXT = "import rota\n\n@rota.module\ndef noop():\n    return None\n"
PROCRASTINATE = "procrastinate==3.*"
PGQUEUER = "pgqueuer==0.*"


def measure(quick: bool) -> list[Figure]:
    """Runs per second from the first creation to the last end, each in a worker's process."""
    rounds, count = (1, 2000) if quick else (3, 10_000)
    config = write_config()
    with run_server(DURABLE) as server:
        ways: list[Callable[[], float]] = [
            lambda: on_sqlite(count, work=NOOP, server="rota", config=config),
            lambda: on_postgres(server.url, count, work=NOOP, server="rota", config=config),
        ]
        if os.environ.get(PEERS):
            huey = install_huey(new_folder("huey"))
            python = install(new_folder("peers"), PROCRASTINATE, PGQUEUER, "asyncpg", "psycopg[binary,pool]")
            ways += [
                lambda: run_huey(huey, count // 4),
                lambda: run_peer(python, "peer_pgqueuer.py", server.url, count // 2),
                lambda: run_peer(python, "peer_procrastinate.py", server.url, count // 20),
            ]
        sqlite, postgres, *peers = in_turns(rounds, *ways)
    return [*_drained(sqlite, postgres, peers), *starts(config, 20 if quick else 200)]


def _drained(sqlite: float, postgres: float, peers: list[float]) -> list[Figure]:
    huey, pgqueuer, procrastinate = peers or (None, None, None)
    note = "each in a worker's process, with its journal lines"
    return [
        figure("no-op module runs created and drained, SQLite", sqlite, "runs/s", reference=huey,
               reference_name="Huey, SQLite FULL, one worker" if huey else "Huey: only with --peers", judged="ratio",
               floor=1.0, goal=3.0, note=note),
        figure("no-op module runs created and drained, PostgreSQL", postgres, "runs/s", reference=pgqueuer,
               reference_name="PgQueuer at its default" if pgqueuer else "PgQueuer: only with --peers", judged="ratio",
               floor=1.0, goal=2.0, note=note + "; fsync on; the database on the same cores"),
        figure("the same beside Procrastinate", postgres, "runs/s", reference=procrastinate,
               reference_name="Procrastinate, one worker" if procrastinate else "Procrastinate: only with --peers",
               judged="ratio", floor=10.0, goal=30.0),
    ]  # fmt: skip


def starts(config: Path, count: int) -> list[Figure]:
    """From the claim of a run to its end, the module doing nothing: in a worker that is there, and in one that is not."""
    with serve(new_data(), config=config) as server:
        task = server.ask("POST", "/v1/tasks", {"name": "noop", "executor": {"kind": "module", "module": "noop"}})
        cold = took_ms(server, task["id"])
        warm = [took_ms(server, task["id"]) for _ in range(count)]
    return [
        figure("a no-op module in a warm worker, p50", percentile(warm, 0.5), "ms", less_is_better=True),
        figure("the first run of a module, worker and all", cold, "ms", less_is_better=True),
    ]


def took_ms(server: Server, task_id: str) -> float:
    run = server.ask("POST", f"/v1/tasks/{task_id}/run", {})
    while run["ended_at"] is None:
        time.sleep(0.005)
        run = server.ask("GET", f"/v1/runs/{run['id']}")
    if run["state"] != "succeeded":
        raise RuntimeError(run["error"])
    return (_moment_s(run["ended_at"]) - _moment_s(run["started_at"])) * 1000


def _moment_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def write_config() -> Path:
    folder = new_folder("modules")
    (folder / "noop.py").write_text(TEXT)
    config = folder / "rota.toml"
    config.write_text('[modules]\npaths = ["./noop.py"]\nworkers = 4\n')
    return config

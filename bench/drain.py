"""No-op runs created and drained by the engine, on both databases, beside Huey if peers are asked for."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.postgres_server import run_server

from bench.figure import Figure, figure, in_turns
from bench.scratch import new_data, new_folder
from bench.server import serve, wait_until
from bench.stock import IDS, MANY_AT_ONCE, TRUE, Ends, count_ended, make_task, store_tasks
from rota.blobs import LocalBlobs
from rota.bus import Bus
from rota.clock import SystemClock
from rota.core.actor import OPERATOR
from rota.core.work import Work
from rota.logs import RunLogs
from rota.ops.context import Rota
from rota.ops.starts import start_task
from rota.store.database import Database, open_database, open_sqlite
from rota.vitals import Vitals

TASKS = 20
CALLERS = 64
NOOP = "bench.noop_server"
# A server that would lose nothing in a power cut.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
PEERS = "BENCH_PEERS"
HUEY = "huey==3.5.4"


def measure(quick: bool) -> list[Figure]:
    """Runs per second, from the first creation to the last end; creating and draining take turns, they do not overlap."""
    rounds, count = (1, 4000) if quick else (3, 16_000)
    with run_server(DURABLE) as server:
        ways: list[Callable[[], float]] = [lambda: on_sqlite(count), lambda: on_postgres(server.url, count)]
        if os.environ.get(PEERS):
            python = install_huey(new_folder("huey"))
            ways.append(lambda: run_huey(python, count // 4))
        sqlite, postgres, *huey = in_turns(rounds, *ways)
    reference = huey[0] if huey else None
    return [
        figure("no-op runs created and drained, SQLite", sqlite, "runs/s", reference=reference,
               reference_name="Huey, SQLite FULL, one worker" if huey else "Huey: only with --peers", judged="ratio", floor=1.0,
               goal=3.0, note="each with its journal lines; the work is a no-op in the server's own process"),
        figure("no-op runs created and drained, PostgreSQL", postgres, "runs/s", note="fsync on; its server on the same 2 cores"),
    ]  # fmt: skip


def on_sqlite(count: int, *, work: Work = TRUE, server: str = NOOP, config: Path | None = None) -> float:
    data = new_data()
    with closing(open_sqlite(data / "rota.db")) as database:
        created_s = create(database, data, count, work)
    ends = Ends(data)
    with serve(data, module=server, config=config, with_key=False):
        wait_until(lambda: ends.count() == count, limit_s=120, pause_s=0.2)
    assert not ends.failed()
    return count / (created_s + ends.last_end_s() - ends.first_start_s())


def on_postgres(url: str, count: int, *, work: Work = TRUE, server: str = NOOP, config: Path | None = None) -> float:
    with closing(open_database(url)) as database:
        data = new_data()
        database.run(lambda c: c.run("TRUNCATE tasks CASCADE"))
        created_s = create(database, data, count, work)
        with serve(data, module=server, config=config, environ={"ROTA_DATABASE": url}, with_key=False):
            wait_until(lambda: database.run(count_ended, write=False)[0] == count, limit_s=120, pause_s=0.2)
        _, begin_s, end_s = database.run(count_ended, write=False)
        return count / (created_s + end_s - begin_s)


def create(database: Database, data: Path, count: int, work: Work = TRUE) -> float:
    """Seconds that so many callers at once take to start so many runs, each durable when its caller goes on."""
    made = [make_task(f"noop-{number}", policy=MANY_AT_ONCE, work=work) for number in range(TASKS)]
    store_tasks(database, made)
    clock = SystemClock()
    rota = Rota(
        database=database,
        clock=clock,
        ids=IDS,
        bus=Bus(),
        logs=RunLogs(data / "logs"),
        blobs=LocalBlobs(data / "blobs", database, clock),
        vitals=Vitals(started_at=clock.now()),
    )

    async def call(caller: int) -> None:
        for number in range(caller, count, CALLERS):
            await start_task(rota, OPERATOR, made[number % TASKS].id, {})

    async def call_all() -> None:
        await asyncio.gather(*map(call, range(CALLERS)))

    begin = time.perf_counter()
    asyncio.run(call_all())
    return time.perf_counter() - begin


def install_huey(folder: Path) -> Path:
    """Into an environment of its own, which goes with the folder."""
    subprocess.run([sys.executable, "-m", "venv", folder / "huey"], check=True)
    python = folder / "huey" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", HUEY], check=True)
    return python


def run_huey(python: Path, count: int) -> float:
    words = [str(python), str(Path(__file__).parent / "peer_huey.py"), str(new_folder("huey") / "huey.db"), str(count)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)

"""Steps of pipelines a second, each durable before the next begins, beside bare SQLite commits."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from bench.figure import Figure, figure, in_turns
from bench.scratch import new_data, new_folder
from bench.server import serve, wait_until
from bench.stock import IDS, MANY_AT_ONCE, Ends, make_task, now, store_runs, store_tasks
from rota.core.pipeline.language import Step
from rota.core.work import Pipeline
from rota.store.database import open_sqlite
from rota.store.runs import NewRun

SIDE_BY_SIDE = 64


class Load(Struct, frozen=True):
    """So many runs of a pipeline of so many steps."""

    runs: int
    steps: int


def measure(quick: bool) -> list[Figure]:
    rounds, steps = (1, 100) if quick else (3, 400)
    alone, many, bare = in_turns(
        rounds,
        lambda: run_pipelines(Load(1, steps)),
        lambda: run_pipelines(Load(SIDE_BY_SIDE, steps // 4)),
        lambda: commit_rows(steps),
    )
    name = "bare SQLite, synchronous=FULL, one row a commit"
    return [
        figure("steps of one pipeline", alone, "steps/s", reference=bare, reference_name=name,
               note="debug.echo with a template and save_as, two log lines and a checkpoint each"),
        figure(f"steps of {SIDE_BY_SIDE} pipelines side by side", many, "steps/s", reference=bare, reference_name=name,
               note="checkpoints of different runs share commits"),
    ]  # fmt: skip


def run_pipelines(load: Load) -> float:
    """From the first start to the last end."""
    data = new_data()
    with closing(open_sqlite(data / "rota.db")) as database:
        plain = make_task("pipe", policy=MANY_AT_ONCE)
        task = replace(plain, spec=replace(plain.spec, executor=_pipeline(load.steps)))
        store_tasks(database, [task])
        store_runs(database, [NewRun.of(task, IDS.new(), "api", now()) for _ in range(load.runs)])
    ends = Ends(data)
    with serve(data, with_key=False):
        wait_until(lambda: ends.count() == load.runs, limit_s=120)
    assert not ends.failed()
    return load.runs * load.steps / (ends.last_end_s() - ends.first_start_s())


def _pipeline(steps: int) -> Pipeline:
    return Pipeline(steps=[Step(uses="debug.echo", with_={"at": "step at ${now}"}, save_as=f"s{n}") for n in range(steps)])


def commit_rows(count: int) -> float:
    path: Path = new_folder("commits") / "bare.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("CREATE TABLE steps (run_id TEXT, position INTEGER, outcome TEXT, PRIMARY KEY (run_id, position))")
        begin = time.perf_counter()
        for position in range(count):
            raw.execute("INSERT INTO steps VALUES ('run', ?, '{\"status\":\"done\"}')", (position,))
        return count / (time.perf_counter() - begin)

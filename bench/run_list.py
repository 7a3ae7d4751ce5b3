"""A page of 50 runs out of a long history, beside the same page out of a short one."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from bench.client import Connection
from bench.figure import Figure, figure, in_turns
from bench.scratch import new_data
from bench.server import Server, serve
from bench.stock import IDS, make_task, now, store_runs, store_tasks
from rota.core.states import State
from rota.core.task import Task
from rota.store import runs
from rota.store.database import Connection as StoreConnection
from rota.store.database import Database, open_sqlite
from rota.store.runs import NewRun

SHORT = 1000
PAGE = 50
TASKS = 20
PART = 10_000
STATES: tuple[State, ...] = ("succeeded", "succeeded", "succeeded", "failed", "timed_out")


def measure(quick: bool) -> list[Figure]:
    """Milliseconds for one page, medians of many, in turns: from the store, and over HTTP."""
    long = 100_000 if quick else 1_000_000
    paths = {count: new_data() for count in (SHORT, long)}
    for count, path in paths.items():
        fill(path, count)
    return [*from_store(paths[SHORT], paths[long], long), *over_http(paths[SHORT], paths[long], long)]


def from_store(short: Path, long: Path, count: int) -> list[Figure]:
    with closing(open_sqlite(short / "rota.db")) as small, closing(open_sqlite(long / "rota.db")) as big:
        return [
            compare(f"{PAGE} of {count:,} runs, from the store, {filter_name}", ours, reference)
            for filter_name, ours, reference in [
                ("newest of all", page(big), page(small)),
                ("of one task", page(big, task=True), page(small, task=True)),
                ("failed ones", page(big, state="failed"), page(small, state="failed")),
            ]
        ]


def page(database: Database, *, task: bool = False, state: State | None = None) -> Callable[[], float]:
    task_id = database.run(lambda c: str(c.rows("SELECT MIN(id) FROM tasks")[0][0]), write=False) if task else None
    states = [state] if state else None

    def read(c: StoreConnection) -> int:
        return len(runs.list_runs(c, task_id=task_id, states=states, everyone=True, limit=PAGE))

    def one() -> float:
        begin = time.perf_counter()
        assert database.run(read, write=False) == PAGE
        return (time.perf_counter() - begin) * 1000

    return one


def over_http(short: Path, long: Path, count: int) -> list[Figure]:
    with serve(short) as small, serve(long) as big, asyncio.Runner() as runner:
        ours, reference = (runner.run(ask_page(server)) for server in (big, small))
        return [
            compare(f"{PAGE} of {count:,} runs, over HTTP", lambda: runner.run(ours()), lambda: runner.run(reference()), floor=20)
        ]


async def ask_page(server: Server) -> Callable[[], Coroutine[None, None, float]]:
    connection = await Connection(server).open()

    async def one() -> float:
        begin = time.perf_counter()
        await connection.ask("GET", f"/v1/runs?limit={PAGE}")
        return (time.perf_counter() - begin) * 1000

    return one


def compare(name: str, ours: Callable[[], float], reference: Callable[[], float], floor: float = 1.5) -> Figure:
    """Judged by its ratio to the short list, or, over HTTP, by its milliseconds."""
    in_turns(20, ours, reference)
    long_ms, short_ms = in_turns(200, ours, reference)
    return figure(
        name, long_ms, "ms", reference=short_ms, reference_name=f"the same page of {SHORT:,} runs",
        judged="ratio" if floor == 1.5 else "ours", floor=floor, less_is_better=True,
    )  # fmt: skip


def fill(data: Path, count: int) -> None:
    """Ended runs, a second apart, over some tasks."""
    with closing(open_sqlite(data / "rota.db")) as database:
        made = [make_task(f"task-{number}") for number in range(TASKS)]
        store_tasks(database, made)
        begin = now() - timedelta(seconds=count)
        for start in range(0, count, PART):
            part = range(start, min(start + PART, count))
            store_runs(database, [ended_run(made, number, begin) for number in part])


def ended_run(made: list[Task], number: int, begin: datetime) -> NewRun:
    task, at = made[number % TASKS], begin + timedelta(seconds=number)
    new = NewRun.of(task, IDS.new(), "schedule", at, nominal_at=at)
    state = STATES[number // TASKS % len(STATES)]
    return replace(new, run=replace(new.run, state=state, started_at=at, ended_at=at, attempt=1, exit_code=0))

"""Durable `sh -c true` runs, output and all, through the whole server, beside spawn loops that record nothing."""

import asyncio
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.c_program import compile_c
from bench.figure import Figure, figure, in_turns
from bench.scratch import new_data, new_folder
from bench.server import serve, wait_until
from bench.stock import IDS, MANY_AT_ONCE, Ends, make_task, now, store_runs, store_tasks
from rota.store.database import open_sqlite
from rota.store.runs import NewRun

TASKS = 4


def measure(quick: bool) -> list[Figure]:
    """Runs per second, medians of rounds in turns."""
    rounds, count = (1, 600) if quick else (5, 2000)
    loop = compile_c("spawn_loop", new_folder("c"))
    ours, alone, paired, bare = in_turns(
        rounds,
        lambda: run_rota(count),
        lambda: rate(count, lambda: run_c(loop, count, 1)),
        lambda: rate(count, lambda: run_c(loop, count, 2)),
        lambda: rate(count, lambda: asyncio.run(run_asyncio(count))),
    )
    title = "durable `sh -c true` runs"
    references = [
        ("C posix_spawn loop", alone, 0.5, 0.65),
        ("C posix_spawn loop, two at once", paired, None, None),
        ("bare asyncio loop, eight at once", bare, None, None),
    ]
    return [
        figure(title, ours, "runs/s", reference=reference, reference_name=name, judged="ratio", floor=floor, goal=goal)
        for name, reference, floor, goal in references
    ]


def run_rota(count: int) -> float:
    """A server finds so many runs waiting, and carries them out."""
    data = new_data()
    fill(data, count)
    ends = Ends(data)
    with serve(data, with_key=False):
        wait_until(lambda: ends.count() == count, limit_s=120, pause_s=0.2)
    assert not ends.failed()
    return count / (ends.last_end_s() - ends.first_start_s())


def fill(data: Path, count: int) -> None:
    with closing(open_sqlite(data / "rota.db")) as database:
        made = [make_task(f"true-{number}", policy=MANY_AT_ONCE) for number in range(TASKS)]
        store_tasks(database, made)
        store_runs(database, [NewRun.of(made[number % TASKS], IDS.new(), "api", now()) for number in range(count)])


def rate(count: int, run: Callable[[], None]) -> float:
    begin = time.perf_counter()
    run()
    return count / (time.perf_counter() - begin)


def run_c(loop: Path, count: int, at_once: int) -> None:
    subprocess.run([loop, str(count), str(at_once)], check=True)


async def run_asyncio(count: int, at_once: int = 8) -> None:
    gate = asyncio.Semaphore(at_once)

    async def one() -> None:
        async with gate:
            process = await asyncio.create_subprocess_exec(
                "/bin/sh", "-c", "true", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            await process.communicate()

    await asyncio.gather(*(one() for _ in range(count)))

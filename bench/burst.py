"""A thousand tasks due at one instant."""

import asyncio
import time
from contextlib import closing

from bench.figure import Figure, figure, in_turns
from bench.scratch import new_data
from bench.server import serve, wait_until
from bench.spawn import run_asyncio
from bench.stock import Ends, in_s, make_task, store_tasks
from rota.core.schedule import OnceSchedule
from rota.store.database import open_sqlite

TASKS = 1000
# Time for the server to start and plan before the instant comes.
AHEAD_S = 3.0


def measure(quick: bool) -> list[Figure]:
    """Seconds from the instant to the last start, and to the last end."""
    started: list[float] = []

    def ours() -> float:
        start_s, end_s = run_rota()
        started.append(start_s)
        return end_s

    ended, reference = in_turns(1 if quick else 3, ours, run_reference)
    last_start = sorted(started)[len(started) // 2]
    name = f"asyncio spawning the same {TASKS}, eight at once, until all have ended"
    return [
        figure(
            f"{TASKS} shell tasks due at one instant: to the last start", last_start, "s", reference=reference,
            reference_name=name, floor=1.5, less_is_better=True,
            note="the last claim, of at most 64 at one time (the default), so all but the last few have ended",
        ),
        figure(
            f"{TASKS} shell tasks due at one instant: to the last end", ended, "s", reference=reference, reference_name=name,
            less_is_better=True,
        ),
    ]  # fmt: skip


def run_rota() -> tuple[float, float]:
    data = new_data()
    at = in_s(AHEAD_S)
    with closing(open_sqlite(data / "rota.db")) as database:
        once = OnceSchedule(at=at.isoformat())
        store_tasks(database, [make_task(f"at-once-{number}", schedule=once) for number in range(TASKS)])
    ends = Ends(data)
    with serve(data, with_key=False):
        assert not ends.count(), "the instant came before the server was up"
        wait_until(lambda: ends.count() == TASKS, limit_s=60, pause_s=0.2)
    assert not ends.failed()
    return ends.last_start_s() - at.timestamp(), ends.last_end_s() - at.timestamp()


def run_reference() -> float:
    begin = time.perf_counter()
    asyncio.run(run_asyncio(TASKS))
    return time.perf_counter() - begin

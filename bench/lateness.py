"""How late schedules fire when a hundred are due in every second."""

import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from bench.figure import Figure, figure, percentile
from bench.scratch import new_data
from bench.server import serve
from bench.stock import in_s, make_task, now, store_tasks
from rota.core.schedule import CronSchedule
from rota.store.database import open_sqlite

SCHEDULES = 10_000
PERIOD_S = 100
# Time for the server to start.
AHEAD_S = 4.0


def measure(quick: bool) -> list[Figure]:
    """From a run's planned instant to the begin of its work, which is no work at all: the scheduler alone."""
    watch_s = 10 if quick else 60
    data = new_data()
    report = data.parent / "late"
    first_at = fill(data)
    with serve(data, module="bench.noop_server", environ={"BENCH_REPORT": str(report)}, with_key=False):
        time.sleep((first_at - now()).total_seconds() + watch_s)
    late = [float(line) * 1000 for line in report.read_text().split()]
    assert len(late) >= SCHEDULES / PERIOD_S * watch_s * 0.9
    steady = late[len(late) // 10 :]
    reference = percentile(sleep_lateness(len(steady) // 100), 0.99)
    note = "the work is a no-op in the server's own process; the scheduler, two commits and the dispatcher are in it"
    return [
        figure(
            f"p99 lateness of {SCHEDULES} schedules at {SCHEDULES // PERIOD_S} fires/s", percentile(steady, 0.99), "ms",
            reference=reference, reference_name="p99 of time.sleep(10 ms) on this machine", floor=50, goal=10,
            less_is_better=True, note=note,
        ),
        figure("the same, p50", percentile(steady, 0.5), "ms", less_is_better=True),
    ]  # fmt: skip


def fill(data: Path) -> datetime:
    """One schedule is due in each hundredth of a second, from the answered moment on."""
    first_at = in_s(AHEAD_S)
    anchor_at = first_at - timedelta(seconds=PERIOD_S)
    step = timedelta(seconds=PERIOD_S / SCHEDULES)
    every = CronSchedule(expr=f"@every {PERIOD_S}s")
    with closing(open_sqlite(data / "rota.db")) as database:
        store_tasks(
            database,
            [make_task(f"every-{number}", schedule=every, anchor_at=anchor_at + number * step) for number in range(SCHEDULES)],
        )
    return first_at


def sleep_lateness(count: int) -> list[float]:
    """In milliseconds: what a program that does nothing but sleep is late by."""
    late = []
    for _ in range(count):
        begin = time.perf_counter()
        time.sleep(0.01)
        late.append((time.perf_counter() - begin - 0.01) * 1000)
    return late

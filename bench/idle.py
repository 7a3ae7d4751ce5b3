"""What a server costs that has a thousand schedules and nothing to do."""

import subprocess
import sys
import time
from pathlib import Path

from bench.figure import Figure, figure
from bench.scratch import new_folder
from bench.server import CLEAN, serve

SCHEDULES = 1000
SETTLE_S = 5.0
BARE = "import asyncio, sqlite3, msgspec, uvloop, starlette.applications, uvicorn, sys; print(flush=True); sys.stdin.read()"


def measure(quick: bool) -> list[Figure]:
    """Memory, processor time and wake-ups, none of the schedules being due while it is watched."""
    watch_s = 20 if quick else 60
    folder = new_folder("idle")
    config = folder / "rota.toml"
    config.write_text(settings(SCHEDULES))
    with serve(folder / "data", config=config, with_key=False) as server:
        time.sleep(SETTLE_S)
        cpu_s, wakes = processor_s(server.pid), wake_ups(server.pid)
        time.sleep(watch_s)
        cpu_s, wakes = processor_s(server.pid) - cpu_s, wake_ups(server.pid) - wakes
        memory, resident = memory_mb(server.pid, "Pss"), memory_mb(server.pid, "Rss")
    bare = bare_memory_mb()
    reference = "Python with asyncio, uvloop, sqlite3, msgspec, Starlette and uvicorn imported"
    return [
        figure(f"idle memory with {SCHEDULES} schedules (PSS)", memory, "MB", reference=bare, reference_name=reference,
               floor=60, goal=50, less_is_better=True, note=f"RSS, shared libraries counted whole: {resident:.1f} MB"),
        figure(f"idle processor time with {SCHEDULES} schedules", cpu_s / watch_s * 100, "% of a core", floor=0.5,
               less_is_better=True, note=f"over {watch_s} s"),
        figure("the same: wake-ups of all its threads", wakes / watch_s, "per s", less_is_better=True),
    ]  # fmt: skip


def settings(count: int) -> str:
    """Tasks in a rota.toml that are due once a year, in a month that is not this one."""
    month = (time.localtime().tm_mon + 5) % 12 + 1
    return "\n".join(
        f'[tasks.task-{number}]\ncron = "{number % 60} {number % 24} {number % 28 + 1} {month} *"\nrun = "true"\n'
        for number in range(count)
    )


def bare_memory_mb() -> float:
    command = [sys.executable, "-c", BARE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=CLEAN) as bare:
        assert bare.stdout and bare.stdin
        bare.stdout.readline()
        memory = memory_mb(bare.pid, "Pss")
        bare.stdin.close()
    return memory


def memory_mb(pid: int, name: str) -> float:
    """`Pss` shares what several processes have mapped among them, `Rss` counts it whole."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {name} of process {pid}")


def processor_s(pid: int) -> float:
    """Of all threads, from the scheduler's own count in nanoseconds."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def wake_ups(pid: int) -> int:
    lines = (line for path in Path(f"/proc/{pid}/task").glob("*/status") for line in path.read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))

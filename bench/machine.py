"""What a measurement ran on."""

import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from msgspec import Struct


class Machine(Struct, frozen=True):
    """The facts that figures depend on. `fsync_us` is the median of flushing 4 KiB; `load` is that of the last minute."""

    cores: int
    memory_gib: float
    cpu: str
    kernel: str
    python: str
    sqlite: str
    fsync_us: float
    load: float


def look_at_machine() -> Machine:
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        cpu=_cpu(),
        kernel=f"{platform.system()} {platform.release()}",
        python=sys.version.split()[0],
        sqlite=sqlite3.sqlite_version,
        fsync_us=_fsync_us(),
        load=round(os.getloadavg()[0], 2),
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _fsync_us() -> float:
    took = []
    with tempfile.TemporaryFile() as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - started)
    return round(statistics.median(took) * 1e6)

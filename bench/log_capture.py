"""Captures a child's output through a pipe and compares with `cat > file` doing the same."""

import fcntl
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rota.core.policy import LogLimit
from rota.logs import LogName, RunLogs

LINE_BYTES = 100
LINES = 2_000_000
ROUNDS = 5
PIPE_BYTES = 1024 * 1024
READ_BYTES = 256 * 1024

_PRODUCER = f"""
import os
block = memoryview((b"x" * {LINE_BYTES - 1} + b"\\n") * 2621)
left = {LINES * LINE_BYTES}
while left:
    left -= os.write(1, block[:left])
"""


def measure() -> dict[str, Any]:
    """Lines per second of ours and of the reference: the medians of rounds taken in turns, files in one folder."""
    folder = Path(tempfile.mkdtemp(prefix="log_capture"))
    try:
        pairs = [(_capture(folder), _cat(folder)) for _ in range(ROUNDS)]
    finally:
        shutil.rmtree(folder)
    ours = statistics.median(LINES / ours_s for ours_s, _ in pairs)
    reference = statistics.median(LINES / cat_s for _, cat_s in pairs)
    return {
        "name": "log capture of lines with stream and time, against cat > file",
        "ours": round(ours),
        "reference": round(reference),
        "ratio": round(ours / reference, 3),
        "unit": "lines/s",
    }


def _capture(folder: Path) -> float:
    logs = RunLogs(folder)
    name = LogName("bench", datetime(2025, 1, 1, tzinfo=UTC), "capture")
    started = time.perf_counter()
    writer = logs.writer(name, LogLimit(max_size=1 << 40))
    with _producer() as child:
        assert child.stdout
        fd = child.stdout.fileno()
        while chunk := os.read(fd, READ_BYTES):
            writer.write("stdout", chunk, time.time_ns() // 1_000_000)
    writer.finalize(time.time_ns() // 1_000_000)
    took = time.perf_counter() - started
    assert logs.reader(name).page(-1, 1).total_lines == LINES
    logs.delete(name)
    return took


def _cat(folder: Path) -> float:
    target = folder / "cat.out"
    started = time.perf_counter()
    with _producer() as child, target.open("wb") as out:
        subprocess.run(["cat"], stdin=child.stdout, stdout=out, check=True)
    took = time.perf_counter() - started
    assert target.stat().st_size == LINES * LINE_BYTES
    target.unlink()
    return took


def _producer() -> "subprocess.Popen[bytes]":
    child = subprocess.Popen([sys.executable, "-S", "-c", _PRODUCER], stdout=subprocess.PIPE)
    assert child.stdout
    fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return child


if __name__ == "__main__":
    print(measure())

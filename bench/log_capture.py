"""Captures a child's output through a pipe, beside `cat > file` doing the same."""

import fcntl
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.figure import Figure, figure, in_turns
from bench.scratch import new_folder
from rota.core.policy import LogLimit
from rota.logs import LogName, RunLogs

LINE_BYTES = 100
PIPE_BYTES = 1024 * 1024
READ_BYTES = 256 * 1024

_PRODUCER = """
import os
block = memoryview((b"x" * {rest} + b"\\n") * 2621)
left = {total}
while left:
    left -= os.write(1, block[:left])
"""


def measure(quick: bool) -> list[Figure]:
    """Lines and bytes per second, medians of rounds taken in turns, files in one folder."""
    lines, rounds = (500_000, 3) if quick else (2_000_000, 5)
    folder = new_folder("capture")
    ours_s, cat_s = in_turns(rounds, lambda: _capture(folder, lines), lambda: _cat(folder, lines))
    megabytes = lines * LINE_BYTES / 1e6
    return [
        figure(f"log capture of {LINE_BYTES}-byte lines with stream and time", lines / ours_s, "lines/s", goal=3_000_000),
        figure("the same in bytes", megabytes / ours_s, "MB/s", reference=megabytes / cat_s, reference_name="cat > file",
               judged="ratio", floor=1.0),
    ]  # fmt: skip


def _capture(folder: Path, lines: int) -> float:
    logs = RunLogs(folder)
    name = LogName("bench", datetime(2025, 1, 1, tzinfo=UTC), "capture")
    started = time.perf_counter()
    writer = logs.writer(name, LogLimit(max_size=1 << 40))
    with _producer(lines) as child:
        assert child.stdout
        fd = child.stdout.fileno()
        while chunk := os.read(fd, READ_BYTES):
            writer.write("stdout", chunk, time.time_ns() // 1_000_000)
    writer.finalize(time.time_ns() // 1_000_000)
    took = time.perf_counter() - started
    assert logs.reader(name).page(-1, 1).total_lines == lines
    logs.delete(name)
    return took


def _cat(folder: Path, lines: int) -> float:
    target = folder / "cat.out"
    started = time.perf_counter()
    with _producer(lines) as child, target.open("wb") as out:
        subprocess.run(["cat"], stdin=child.stdout, stdout=out, check=True)
    took = time.perf_counter() - started
    assert target.stat().st_size == lines * LINE_BYTES
    target.unlink()
    return took


def _producer(lines: int) -> "subprocess.Popen[bytes]":
    code = _PRODUCER.format(rest=LINE_BYTES - 1, total=lines * LINE_BYTES)
    child = subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE)
    assert child.stdout
    fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return child

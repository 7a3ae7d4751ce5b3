"""What a RunWisp installation of 200 units costs, and how soon it starts things and shows them, over RunWisp's own API."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from bench.client import events
from bench.figure import Figure, figure, percentile
from bench.idle import memory_mb
from bench.scratch import new_folder
from bench.server import Server, serve, wait_until
from bench.viewer import PAUSE_S, WRITER

UNITS = 200
SERVICES = 20
# Time for the server to start and plan before the instant comes.
AHEAD_S = 4.0
SETTLE_S = 3.0
CLAIMED_MB = 25.0
OPEN = {"RUNWISP_NO_AUTH": "1"}
# The first thing that a script does: to say when that was, in a line of a file that all of them share.
SAY = 'echo "$$ $EPOCHREALTIME" >> {report}'


def measure(quick: bool) -> list[Figure]:
    return [*at_one_instant(1 if quick else 5), *restarts(10 if quick else 50), *lines(50 if quick else 300), memory()]


def at_one_instant(rounds: int) -> list[Figure]:
    """From the tick of 200 cron tasks to the first line of each script."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours += fire()
        theirs += spawn_all()
    name = f"{UNITS} cron tasks due at one instant: tick to the script's first line"
    reference = "the same scripts by subprocess.Popen in a loop"
    return [
        figure(f"{name}, p50", percentile(ours, 0.5), "ms", reference=percentile(theirs, 0.5), reference_name=reference,
               less_is_better=True),
        figure(f"{name}, p99", percentile(ours, 0.99), "ms", reference=percentile(theirs, 0.99), reference_name=reference,
               floor=50, less_is_better=True, note="200 shells alone take two cores longer"),
    ]  # fmt: skip


def fire() -> list[float]:
    """Milliseconds of each."""
    folder = new_folder("fire")
    report = folder / "report"
    at = (datetime.now() + timedelta(seconds=AHEAD_S)).replace(microsecond=0)  # noqa: DTZ005  cron counts on the local clock
    unit = f"cron = '{at:%-S %-M %-H %-d %-m} *'\nshell = '/bin/bash'\nrun = '{SAY.format(report=report)}'\n"
    with serve(folder / "data", config=write(folder, [f"[tasks.t{n}]\n{unit}" for n in range(UNITS)]), with_key=False):
        wait_until(lambda: len(said(report)) == UNITS, limit_s=AHEAD_S + 30)
    return [(moment - at.timestamp()) * 1000 for _, moment in said(report)]


def spawn_all() -> list[float]:
    report = new_folder("spawn") / "report"
    begin = time.time()
    children = [subprocess.Popen(["/bin/bash", "-e", "-c", SAY.format(report=report)]) for _ in range(UNITS)]
    for child in children:
        child.wait()
    return [(moment - begin) * 1000 for _, moment in said(report)]


def restarts(count: int) -> list[Figure]:
    """From the death of a service's process, or the operator's restart, to the first line of the next."""
    folder = new_folder("restart")
    report = folder / "report"
    service = f"run = '{SAY.format(report=report)}; exec sleep 1000'\nshell = '/bin/bash'\n"
    quick = "restart_delay = '0s'\nhealthy_after = '1ms'\n"
    with serve(
        folder / "data", config=write(folder, [f"[services.web]\n{service}{quick}"]), environ=OPEN, with_key=False
    ) as server:
        wait_until(lambda: said(report), limit_s=20)
        died = [until_next(report, lambda pid: os.kill(pid, signal.SIGKILL)) for _ in range(count)]
        asked = [until_next(report, lambda _: server.ask("POST", "/runwisp/api/tasks/web/restart")) for _ in range(count)]
    return [
        figure("a killed service's process to the next one's first line, p50", percentile(died, 0.5), "ms", less_is_better=True,
               note="with restart_delay = 0s; RunWisp's default adds one second on purpose"),
        figure("a killed service's process to the next one's first line, p99", percentile(died, 0.99), "ms", less_is_better=True),
        figure("POST …/restart to the next process's first line, p50", percentile(asked, 0.5), "ms", less_is_better=True),
        figure("POST …/restart to the next process's first line, p99", percentile(asked, 0.99), "ms", less_is_better=True),
    ]  # fmt: skip


def until_next(report: Path, end: Callable[[int], object]) -> float:
    before = said(report)
    begin = time.time()
    end(before[-1][0])
    wait_until(lambda: len(said(report)) > len(before), limit_s=20, pause_s=0.005)
    time.sleep(PAUSE_S)
    return (said(report)[len(before)][1] - begin) * 1000


def lines(count: int) -> list[Figure]:
    """From a line's writing to its arrival at a client of the run's stream."""
    folder = new_folder("lines")
    program = folder / "writer.py"
    program.write_text(WRITER.format(lines=count, pause=PAUSE_S))
    unit = f"[tasks.writer]\nrun = 'exec {sys.executable} -S {program}'\n"
    with serve(folder / "data", config=write(folder, [unit]), environ=OPEN, with_key=False) as server:
        run = server.ask("POST", "/runwisp/api/tasks/writer/run")
        behind = asyncio.run(watch(server, f"/runwisp/api/tasks/writer/runs/{run['id']}/log/stream"))
    assert len(behind) == count
    return [
        figure("a line to a viewer of RunWisp's log stream, p50", percentile(behind, 0.5), "ms", less_is_better=True),
        figure("a line to a viewer of RunWisp's log stream, p99", percentile(behind, 0.99), "ms", floor=100, less_is_better=True),
    ]


async def watch(server: Server, path: str) -> list[float]:
    """Milliseconds for each line."""
    behind = []
    async for kind, line in events(server, path):
        if kind == "line":
            behind.append((time.time_ns() - int(line["text"])) / 1e6)
        elif kind == "done":
            break
    return behind


def memory() -> Figure:
    """Of the server alone, with its units asked for once; the processes of services are the services' own."""
    folder = new_folder("memory")
    units = [f"[tasks.t{n}]\ncron = '{n % 60} {n % 24} 1 1 *'\nrun = 'true'\n" for n in range(UNITS - SERVICES)]
    units += [f"[services.s{n}]\nrun = 'exec sleep 1000'\n" for n in range(SERVICES)]
    with serve(folder / "data", config=write(folder, units), environ=OPEN, with_key=False) as server:
        assert len(server.ask("GET", "/runwisp/api/tasks")) == UNITS
        time.sleep(SETTLE_S)
        pss = memory_mb(server.pid, "Pss")
    return figure(
        f"memory with {UNITS} units, {SERVICES} of them running services (PSS)", pss, "MB", reference=CLAIMED_MB,
        reference_name="what RunWisp says of its idle self; not measured here", floor=60, less_is_better=True,
    )  # fmt: skip


def write(folder: Path, units: list[str]) -> Path:
    config = folder / "runwisp.toml"
    config.write_text("".join(units))
    return config


def said(report: Path) -> list[tuple[int, float]]:
    """Process and moment of each line that is whole."""
    text = report.read_text() if report.exists() else ""
    words = [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]
    return [(int(pid), float(moment)) for pid, moment in words]

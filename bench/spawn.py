"""Real `sh -c true` runs with a log file each, beside a C and a bare asyncio spawn loop. Nothing is durable here."""

import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rota.bus import Bus
from rota.clock import SystemClock
from rota.core.run import Run
from rota.core.task import Task, TaskSpec
from rota.core.work import Shell
from rota.executors import build_executors
from rota.ids import Ids
from rota.logs import RunLogs
from rota.runners import Claim, LocalRunner, ProcessLedger

RUNS = 600
ROUNDS = 3
AT_ONCE = 4
C_LOOP = r"""
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
extern char **environ;
int main(int count, char **words) {
    int runs = atoi(words[1]), at_once = atoi(words[2]), going = 0;
    char *command[] = {"sh", "-c", "true", 0};
    for (int run = 0; run < runs; run++) {
        pid_t pid;
        if (posix_spawn(&pid, "/bin/sh", 0, 0, command, environ)) return 1;
        if (++going >= at_once) { wait(0); going--; }
    }
    while (going--) wait(0);
    return 0;
}
"""


def measure() -> list[dict[str, Any]]:
    """The best of three rounds each, taken in turns so that all see the same machine."""
    with tempfile.TemporaryDirectory(prefix="rota-bench-") as folder:
        loop = _compile(Path(folder))
        ways: dict[str, Callable[[], None]] = {
            "C posix_spawn, one at a time": lambda: _run_c(loop, 1),
            "C posix_spawn, two at once": lambda: _run_c(loop, 2),
            "asyncio create_subprocess_exec": lambda: asyncio.run(_run_asyncio()),
            "Rota, one runner": lambda: asyncio.run(_run_rota(Path(folder))),
        }
        best = dict.fromkeys(ways, 0.0)
        for _ in range(ROUNDS):
            for name, run in ways.items():
                best[name] = max(best[name], _rate(run))
    reference = max(rate for name, rate in best.items() if name.startswith("C "))
    return [{"name": name, "runs_per_s": round(rate), "of_c": round(rate / reference, 2)} for name, rate in best.items()]


def _rate(run: Callable[[], None]) -> float:
    begin = time.perf_counter()
    run()
    return RUNS / (time.perf_counter() - begin)


def _compile(folder: Path) -> Path:
    source, program = folder / "loop.c", folder / "loop"
    source.write_text(C_LOOP)
    subprocess.run(["cc", "-O2", "-o", program, source], check=True)
    return program


def _run_c(loop: Path, at_once: int) -> None:
    subprocess.run([loop, str(RUNS), str(at_once)], check=True)


async def _run_asyncio() -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            process = await asyncio.create_subprocess_exec(
                "/bin/sh", "-c", "true", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            await process.communicate()

    await asyncio.gather(*(one() for _ in range(RUNS)))


async def _run_rota(folder: Path) -> None:
    """As the engine drives it: whenever some have finished, as many are started."""
    clock, bus = SystemClock(), Bus()
    ledger = ProcessLedger(folder / "processes.log")
    runner = LocalRunner(build_executors(), RunLogs(folder / "logs"), clock, bus, ledger, lambda _: {}, capacity=AT_ONCE)
    claims = [_claim(Ids(clock)) for _ in range(RUNS)]
    woken, done = bus.signal("settler"), 0
    while done < RUNS:
        free = runner.capacity - runner.busy
        if free and claims:
            runner.start(claims[-free:])
            del claims[-free:]
        await woken.wait()
        woken.clear()
        finished = runner.take_finished()
        runner.acknowledge(finished)
        done += len(finished)
    ledger.close()


def _claim(ids: Ids) -> Claim:
    now = SystemClock().now()
    spec = TaskSpec(name="true", executor=Shell(script="true"))
    task = Task(
        id=ids.new(), spec=spec, source="api", status="active", created_at=now, updated_at=now, anchor_at=now, cursor_at=now
    )
    return Claim(
        task, Run(id=ids.new(), task_id=task.id, state="running", trigger="api", created_at=now, due_at=now, attempt=1, fence=1)
    )


if __name__ == "__main__":
    print(json.dumps({"cores": os.cpu_count(), "results": measure()}, indent=2))

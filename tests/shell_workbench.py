"""Runs scripts through the shell executor, with real processes and a real log."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from tests.factories import make_run, make_task, spec

from rota.clock import SystemClock
from rota.core.outcome import Outcome, StopCause
from rota.core.policy import LogLimit, Policy, Stop
from rota.core.run import Run
from rota.core.task import Task
from rota.core.work import Shell
from rota.executors import Context, StopRequest
from rota.executors.shell import ShellExecutor
from rota.ids import Ids
from rota.logs import LogLine, LogName, RunLogs

CLOCK = SystemClock()
# Real processes carry their run's id, and tests may run beside each other.
IDS = Ids(CLOCK)
QUICK = Stop(grace_s=0.2)


class Result(Struct):
    """What one script came to."""

    outcome: Outcome
    lines: list[LogLine]
    started: list[tuple[int, int]]
    deliveries: int

    def texts(self, stream: str = "stdout") -> list[str]:
        return [line.text for line in self.lines if line.stream == stream]


class Script(Struct):
    """A script and what surrounds it.

    stop_at   a stop of `cause` is asked for when the log has this many lines of output
    on_line   called with the stop request each time the log has grown
    """

    script: str
    work: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    server_env: Mapping[str, str] = field(default_factory=lambda: {"PATH": "/usr/bin:/bin"})
    stop_at: int | None = None
    cause: StopCause = "stop"
    on_growth: Callable[[StopRequest], None] | None = None

    def task_and_run(self) -> tuple[Task, Run]:
        policy = Policy(**{"stop": QUICK, "log": LogLimit(), **self.policy})
        task_spec = {key: self.task.pop(key) for key in ("inputs", "params") if key in self.task}
        task = make_task(**self.task, spec=spec(executor=Shell(script=self.script, **self.work), policy=policy, **task_spec))
        return task, make_run(task, **{"id": IDS.new(), "state": "running", "attempt": 1, **self.run})


async def carry_out(folder: Path, script: Script) -> Result:
    task, run = script.task_and_run()
    logs, name = RunLogs(folder / "logs"), LogName(task.name, run.created_at, run.id)
    stop = StopRequest()
    started: list[tuple[int, int]] = []
    delivered: list[int] = []
    log = logs.writer(name, task.spec.policy.log, list(script.secrets.values()), on_growth=lambda: grown())

    def grown() -> None:
        if script.on_growth:
            script.on_growth(stop)
        if script.stop_at is not None and log.lines_written >= script.stop_at:
            stop.ask(script.cause)

    context = Context(
        task=task,
        run=run,
        log=log,
        stop=stop,
        secrets=script.secrets,
        on_started=lambda pid, ticks: started.append((pid, ticks)),
        on_delivered=lambda: delivered.append(1),
        now_ms=now_ms,
    )
    outcome = await ShellExecutor(script.server_env).execute(context)
    log.finalize(now_ms())
    return Result(outcome, logs.reader(name).page(0, 100_000).lines, started, len(delivered))


def run_script(folder: Path, script: str, **fields: Any) -> Result:
    return asyncio.run(asyncio.wait_for(carry_out(folder, Script(script, **fields)), 20))


def now_ms() -> int:
    return int(CLOCK.now().timestamp() * 1000)

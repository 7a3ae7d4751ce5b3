"""The real server with one part exchanged: every task's work is done at once, in its own process.

It measures the engine without the cost of processes. When it stops it writes to $BENCH_REPORT, one line for each run, how
late its work began after its planned instant, in seconds.
"""

import atexit
import os
import time
from pathlib import Path

from rota.cli import main as command_line
from rota.core.outcome import Outcome
from rota.executors import Context, Executor
from rota.server import workshop

late_s: list[float] = []
DONE = Outcome(state="succeeded", exit_code=0)


class NoWork:
    """Nothing to do, and done."""

    kind = "shell"
    is_durable = False

    async def execute(self, context: Context) -> Outcome:
        if context.run.nominal_at:
            late_s.append(time.time() - context.run.nominal_at.timestamp())
        return DONE


def build_executors(*_: Executor) -> dict[str, Executor]:
    return {NoWork.kind: NoWork()}


def write_report() -> None:
    path = os.environ.get("BENCH_REPORT")
    if path:
        Path(path).write_text("\n".join(map(str, late_s)))


if __name__ == "__main__":
    workshop.build_executors = build_executors  # type: ignore[attr-defined]
    atexit.register(write_report)
    command_line()

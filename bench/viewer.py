"""How far a live viewer of a log is behind the process that writes it."""

import asyncio
import sys
import time

from bench.client import events
from bench.figure import Figure, figure, percentile
from bench.scratch import new_data
from bench.server import Server, serve

PAUSE_S = 0.02
# Each line is the moment at which it is written.
WRITER = "import time\nfor _ in range({lines}):\n    time.sleep({pause})\n    print(time.time_ns(), flush=True)\n"


def measure(quick: bool) -> list[Figure]:
    """From a line's writing to its arrival at a client of the log's event stream."""
    lines = 50 if quick else 500
    with serve(new_data()) as server:
        script = f"exec {sys.executable} -S -c '{WRITER.format(lines=lines, pause=PAUSE_S)}'"
        server.ask("POST", "/v1/tasks", {"name": "writer", "executor": {"kind": "shell", "script": script}})
        run = server.ask("POST", "/v1/tasks/writer/run", {})
        behind = asyncio.run(watch(server, run["id"]))
    assert len(behind) == lines
    return [
        figure("live viewer behind the writer, p99", percentile(behind, 0.99), "ms", floor=100, less_is_better=True),
        figure("the same, p50", percentile(behind, 0.5), "ms", less_is_better=True),
    ]


async def watch(server: Server, run_id: str) -> list[float]:
    """Milliseconds for each line."""
    behind = []
    async for kind, line in events(server, f"/v1/runs/{run_id}/log/stream"):
        if kind == "line":
            behind.append((time.time_ns() - int(line["text"])) / 1e6)
        elif kind == "done":
            break
    return behind

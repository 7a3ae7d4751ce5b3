"""From asking for a run to its start, on an idle server, over HTTP."""

import asyncio
import time

from bench.client import Connection, events
from bench.figure import Figure, figure, percentile
from bench.scratch import new_data
from bench.server import Server, serve

# So long that the run before has ended.
PAUSE_S = 0.03


def measure(quick: bool) -> list[Figure]:
    """From the first byte of `POST /v1/tasks/{id}/run` to the arrival of `run.started` on the event stream."""
    count = 50 if quick else 500
    with serve(new_data()) as server:
        task = server.ask("POST", "/v1/tasks", {"name": "hello", "executor": {"kind": "shell", "script": "true"}})
        took, echo = asyncio.run(take_turns(server, task["id"], count))
    note = "both the request and the event pass through HTTP; the claim is durable by then, the process starts right after it"
    reference = percentile(echo, 0.5)
    return [
        figure(
            "from create to started, idle server, p50", percentile(took, 0.5), "ms", reference=reference,
            reference_name="p50 of GET /v1/tasks/{id} on the same connection", floor=5, goal=3, less_is_better=True, note=note,
        ),
        figure("from create to started, idle server, p99", percentile(took, 0.99), "ms", reference=percentile(echo, 0.99),
               reference_name="p99 of GET /v1/tasks/{id}", less_is_better=True),
    ]  # fmt: skip


async def take_turns(server: Server, task_id: str, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds to start a run, and to answer a plain question."""
    connection, stream = await Connection(server).open(), events(server, "/v1/stream")
    await anext(stream)
    took, echo = [], []
    for _ in range(count):
        begin = time.perf_counter()
        reply = asyncio.ensure_future(connection.ask("POST", f"/v1/tasks/{task_id}/run", b"{}"))
        async for kind, _ in stream:
            if kind == "run.started":
                break
        took.append((time.perf_counter() - begin) * 1000)
        await reply
        async for kind, _ in stream:
            if kind == "run.succeeded":
                break
        await asyncio.sleep(PAUSE_S)
        begin = time.perf_counter()
        await connection.ask("GET", f"/v1/tasks/{task_id}")
        echo.append((time.perf_counter() - begin) * 1000)
    connection.close()
    return took, echo

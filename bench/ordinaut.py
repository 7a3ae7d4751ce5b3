"""Ordinaut's API beside what a repaired copy of Ordinaut 2.2.2 reached on two cores (figures of another sitting)."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from bench.client import Connection, events
from bench.figure import Figure, figure, percentile
from bench.scratch import new_data
from bench.server import CLEAN, Server, rota, serve

ORIGINAL = "Ordinaut 2.2.2, measured apart"
RULES = 1000
# Rules are due so many a second.
RATE = 100
# Time to create them all before the first is due.
AHEAD_S = 10
PAUSE_S = 0.02


def measure(quick: bool) -> list[Figure]:
    """Create, publish and timed firing, each over HTTP with an agent's token."""
    count = 100 if quick else 500
    with serve(new_data(), environ=CLEAN) as server:
        agent = log_in(server)
        creates_s, late = asyncio.run(fire_rules(agent))
        started, finished = asyncio.run(take_turns(server, agent, count))
    return [
        figure("tasks created by one client", RULES / creates_s, "requests/s", reference=45, reference_name=ORIGINAL,
               note="an RRULE and a pipeline each, checked and planned before the answer"),
        figure(f"lateness of {RULES} rrule tasks at {RATE} fires/s, p50", percentile(late, 0.5), "ms", reference=110,
               reference_name=f"{ORIGINAL}, at best, few tasks", less_is_better=True, note="scheduled_for to started_at"),
        figure("the same, p99", percentile(late, 0.99), "ms", reference=450, reference_name=f"{ORIGINAL}, at worst, few tasks",
               less_is_better=True),
        figure("from publish to started, p50", percentile(started, 0.5), "ms", less_is_better=True,
               note="POST /events to `run.started` on the stream"),
        figure("from run_now to finished, p50", percentile(finished, 0.5), "ms", reference=490, reference_name=ORIGINAL,
               less_is_better=True),
    ]  # fmt: skip


def log_in(server: Server) -> Server:
    """The server as an agent sees it, who may do everything."""
    made = json.loads(rota("agent", "add", "bench-agent", "--scope", "admin", "--data", str(server.data)))
    return replace(server, key=server.ask("POST", "/ordinaut/agents/auth/token", made)["access_token"])


async def fire_rules(agent: Server) -> tuple[float, list[float]]:
    """Seconds to create the tasks, and how late each fired, in milliseconds."""
    connection = await Connection(agent).open()
    first_at = datetime.now(UTC) + timedelta(seconds=AHEAD_S)
    begin = time.perf_counter()
    for number in range(RULES):
        at = first_at + timedelta(seconds=number // RATE)
        rule = f"DTSTART:{at:%Y%m%dT%H%M%SZ}\nRRULE:FREQ=DAILY"
        await post(connection, "/ordinaut/tasks", body(f"rule {number}", "rrule", rule))
    took_s = time.perf_counter() - begin
    connection.close()
    await asyncio.sleep(AHEAD_S - took_s + RULES / RATE + 2)
    late: list[float] = []
    connection = await Connection(agent).open()
    for offset in range(0, RULES, 200):
        page = json.loads(await connection.ask("GET", f"/ordinaut/runs?limit=200&offset={offset}"))
        late += [lateness_ms(run) for run in page["items"]]
    connection.close()
    assert len(late) == RULES
    return took_s, late


async def take_turns(server: Server, agent: Server, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds from publishing to the start, and from run_now to the end, of a pipeline of one step."""
    connection, stream = await Connection(agent).open(), events(server, "/v1/stream")
    await anext(stream)
    whose = json.loads(await connection.ask("GET", "/ordinaut/agents?name_filter=bench-agent"))[0]["id"]
    task = await post(connection, "/ordinaut/tasks", body("on event", "event", "bench"))
    event = {"topic": "bench", "payload": {}, "source_agent_id": whose}
    started, finished = [], []
    for _ in range(count):
        started.append(await until(stream, "run.started", connection, "/ordinaut/events", event))
        await passed(stream, "run.succeeded")
        await asyncio.sleep(PAUSE_S)
        finished.append(await until(stream, "run.succeeded", connection, f"/ordinaut/tasks/{task['id']}/run_now", {}))
        await asyncio.sleep(PAUSE_S)
    connection.close()
    return started, finished


async def until(stream: Any, kind: str, connection: Connection, path: str, asked: dict[str, Any]) -> float:
    """Milliseconds from the request to that notice."""
    begin = time.perf_counter()
    reply = asyncio.ensure_future(post(connection, path, asked))
    await passed(stream, kind)
    took_ms = (time.perf_counter() - begin) * 1000
    await reply
    return took_ms


async def passed(stream: Any, kind: str) -> None:
    async for seen, _ in stream:
        if seen == kind:
            return


async def post(connection: Connection, path: str, asked: dict[str, Any]) -> Any:
    return json.loads(await connection.ask("POST", path, json.dumps(asked).encode()))


def body(title: str, kind: str, expression: str) -> dict[str, Any]:
    pipeline = [{"uses": "debug.echo", "with": {"at": "${now}"}, "save_as": "echo"}]
    return {
        "title": title, "description": "A bench.", "schedule_kind": kind, "schedule_expr": expression, "timezone": "UTC",
        "payload": {"pipeline": pipeline},
    }  # fmt: skip


def lateness_ms(run: dict[str, Any]) -> float:
    started, planned = (datetime.fromisoformat(run[name]) for name in ("started_at", "scheduled_for"))
    return (started - planned).total_seconds() * 1000

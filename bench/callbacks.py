"""Callbacks delivered a second to one receiver and to a hundred, and what a receiver that hangs costs the engine."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpcore
from msgspec import Struct
from msgspec.structs import replace

from bench.figure import Figure, figure, in_turns, percentile
from bench.scratch import new_data
from bench.server import Server, serve
from bench.start_latency import take_turns
from bench.stock import IDS, MANY_AT_ONCE, make_task, now
from rota.core.work import Agent
from rota.engine.notifier import MOST_AT_ONCE, PER_TARGET
from rota.store import outbox, runs, tasks, users
from rota.store.database import Connection, open_sqlite
from rota.store.outbox import Callback
from rota.store.runs import NewRun

MANY = 100
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
LIMIT_S = 120.0


class Receivers(Struct):
    """Ports that take posts and answer at once; `times` are the moments of the first and the last."""

    ports: list[int]
    received: int = 0
    times: tuple[float, float] = (0.0, 0.0)

    def note(self) -> None:
        moment = time.perf_counter()
        self.times = (self.times[0] if self.received else moment, moment)
        self.received += 1


def measure(quick: bool) -> list[Figure]:
    rounds, count = (1, 300) if quick else (3, 2000)
    one, many, bare_one, bare_many = in_turns(
        rounds,
        lambda: asyncio.run(deliver(1, count)),
        lambda: asyncio.run(deliver(MANY, count)),
        lambda: asyncio.run(post(1, count, PER_TARGET)),
        lambda: asyncio.run(post(MANY, count, MOST_AT_ONCE)),
    )
    note = "of a backlog: each is taken, its task read from store and log, sent once, and recorded; two at a time to one receiver"
    plain, burdened = start_latencies(20 if quick else 200)
    return [
        figure("callbacks of agents' tasks to 1 receiver", one, "callbacks/s", reference=bare_one,
               reference_name="bare httpcore, two at once, nothing stored", note=note),
        figure(f"callbacks of agents' tasks to {MANY} receivers", many, "callbacks/s", reference=bare_many,
               reference_name=f"bare httpcore, {MOST_AT_ONCE} at once, nothing stored"),
        figure("from create to started with a receiver that hangs, p50", percentile(burdened, 0.5), "ms",
               reference=percentile(plain, 0.5), reference_name="the same without one, in turns", less_is_better=True,
               judged="ratio", floor=1.25, note="500 callbacks wait for it, two of them always on their way"),
        figure("the same with a receiver that hangs, p99", percentile(burdened, 0.99), "ms", reference=percentile(plain, 0.99),
               reference_name="without one, in turns", less_is_better=True),
    ]  # fmt: skip


async def deliver(receivers: int, count: int) -> float:
    """Callbacks a second, from the first that arrives to the last."""
    async with receiving(receivers) as those:
        data = new_data()
        store_backlog(data, [f"http://127.0.0.1:{port}/hook" for port in those.ports], count)
        with serve(data):
            await until(lambda: those.received >= count)
    return (count - 1) / (those.times[1] - those.times[0])


async def post(receivers: int, count: int, at_once: int) -> float:
    """The same posts by the same library, and nothing else."""
    async with receiving(receivers) as those, httpcore.AsyncConnectionPool(max_connections=at_once) as pool:
        urls = [f"http://127.0.0.1:{those.ports[number % receivers]}/hook" for number in range(count)][::-1]

        async def send() -> None:
            while urls:
                await pool.request("POST", urls.pop(), content=b"x" * 300)

        await asyncio.gather(*(send() for _ in range(at_once)))
    return (count - 1) / (those.times[1] - those.times[0])


def start_latencies(count: int) -> tuple[list[float], list[float]]:
    """Milliseconds to start a run on a server that is left alone, and on one beside a receiver that hangs, in turns."""
    return asyncio.run(_start_latencies(count))


async def _start_latencies(count: int) -> tuple[list[float], list[float]]:
    plain, burdened = list[float](), list[float]()
    async with receiving(1, hangs=True) as those:
        data = new_data()
        store_backlog(data, [f"http://127.0.0.1:{those.ports[0]}/hook"], 500)
        with serve(new_data()) as free, serve(data) as busy:
            tasks_ = {server.port: new_task(server) for server in (free, busy)}
            await until(lambda: those.received >= PER_TARGET)
            for _ in range(10):
                plain += (await take_turns(free, tasks_[free.port], count // 10))[0]
                burdened += (await take_turns(busy, tasks_[busy.port], count // 10))[0]
    return plain, burdened


def new_task(server: Server) -> str:
    made = server.ask("POST", "/v1/tasks", {"name": "hello", "executor": {"kind": "shell", "script": "true"}})
    return str(made["id"])


def store_backlog(data: Path, urls: list[str], count: int) -> None:
    """Ended runs of an agent, whose last word everybody is still to hear."""
    with closing(open_sqlite(data / "rota.db")) as database:
        database.run(lambda c: _write_backlog(c, urls, count))


def _write_backlog(c: Connection, urls: list[str], count: int) -> None:
    at = now()
    user = users.insert_user(c, id=IDS.new(), name="author", created_at=at)
    task = make_task("agent", policy=MANY_AT_ONCE)
    spec = replace(task.spec, executor=Agent(nodes=[]), shared=True, title="Agent", description="Says nothing.")
    task = replace(task, spec=spec, owner_id=user.id)
    tasks.insert_task(c, task)
    made = [NewRun.of(task, IDS.new(), "api", at) for _ in range(count)]
    ended = [replace(new, run=replace(new.run, state="succeeded", started_at=at, ended_at=at, output={})) for new in made]
    runs.insert_runs(c, ended)
    for number, new in enumerate(ended):
        outbox.set_callback(c, Callback(run_id=new.run.id, url=urls[number % len(urls)], form="nla"))
    outbox.tell_callbacks(c, [new.run.id for new in ended], at, IDS, final=True)


@asynccontextmanager
async def receiving(count: int, *, hangs: bool = False) -> AsyncIterator[Receivers]:
    those = Receivers([])

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
                those.note()
                if not hangs:
                    writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):  # the last at the end of the loop
            writer.close()

    servers = [await asyncio.start_server(serve_one, "127.0.0.1", 0) for _ in range(count)]
    those.ports = [server.sockets[0].getsockname()[1] for server in servers]
    try:
        yield those
    finally:
        for server in servers:
            server.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)

"""Measures group commit: inserts by many callers at once, beside the same inserts committed one by one."""

import asyncio
import time
from contextlib import closing
from itertools import count

from tests.postgres_server import run_server

from bench.drain import DURABLE
from bench.figure import Figure, figure, in_turns
from bench.scratch import new_data
from rota.store.connection import Connection, Work
from rota.store.database import Database, open_postgres, open_sqlite

CALLERS = 64
SQL = "INSERT INTO nodes (id, started_at, seen_at) VALUES (?, ?, ?)"


def measure(quick: bool) -> list[Figure]:
    """Inserts per second, each durable when its caller goes on: medians of rounds taken in turns on one file or server."""
    together, alone = (10_000, 500) if quick else (40_000, 2_000)
    with closing(open_sqlite(new_data() / "rota.db")) as database:
        sqlite = compare("SQLite", database, together, alone)
    with run_server(DURABLE) as server, closing(open_postgres(server.url)) as database:
        postgres = compare("PostgreSQL", database, together // 4, alone)
    return [sqlite, postgres]


def compare(name: str, database: Database, together: int, alone: int) -> Figure:
    names = count()
    ours, reference = in_turns(3, lambda: rate(database, names, CALLERS, together), lambda: rate(database, names, 1, alone))
    return figure(
        f"{name} inserts of {CALLERS} callers by group commit", ours, "inserts/s", reference=reference,
        reference_name="the same, one at a time",
    )  # fmt: skip


def rate(database: Database, names: "count[int]", callers: int, inserts: int) -> float:
    started = time.perf_counter()
    asyncio.run(insert_all(database, names, callers, inserts // callers))
    return inserts / (time.perf_counter() - started)


async def insert_all(database: Database, names: "count[int]", callers: int, each: int) -> None:
    async def call() -> None:
        for _ in range(each):
            await database.write(insert(f"{next(names):036}"))

    await asyncio.gather(*[call() for _ in range(callers)])


def insert(name: str) -> Work[int]:
    def fn(c: Connection) -> int:
        return c.run(SQL, (name, 1, 1))

    return fn

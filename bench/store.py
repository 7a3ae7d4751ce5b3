"""Measures group commit: inserts by many callers at once, beside the same inserts committed one by one."""

import asyncio
import json
import statistics
import tempfile
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

from tests.postgres_server import run_server

from rota.store.connection import Connection, Work
from rota.store.database import Database, open_postgres, open_sqlite

CALLERS = 64
TOGETHER = 40_000
ALONE = 2_000
ROUNDS = 3
SQL = "INSERT INTO nodes (id, started_at, seen_at) VALUES (?, ?, ?)"
# A server that would lose nothing in a power cut, unlike the one of the tests.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


def measure() -> list[dict[str, Any]]:
    """Inserts per second, each durable when its caller goes on: medians of rounds taken in turns on one file or server."""
    with tempfile.TemporaryDirectory(prefix="store") as folder, closing(open_sqlite(Path(folder) / "rota.db")) as database:
        sqlite = compare("SQLite", database, TOGETHER)
    with run_server(DURABLE) as server, closing(open_postgres(server.url)) as database:
        postgres = compare("PostgreSQL", database, TOGETHER // 4)
    return [sqlite, postgres]


def compare(name: str, database: Database, inserts: int) -> dict[str, Any]:
    names = count()
    pairs = [(rate(database, names, CALLERS, inserts), rate(database, names, 1, ALONE)) for _ in range(ROUNDS)]
    ours = statistics.median(together for together, _ in pairs)
    reference = statistics.median(alone for _, alone in pairs)
    return {
        "name": f"{name} inserts of {CALLERS} callers by group commit, against one at a time",
        "ours": round(ours),
        "reference": round(reference),
        "ratio": round(ours / reference, 1),
        "unit": "inserts/s",
    }


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


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))

"""PgQueuer, with its own environment's Python: enqueues no-op jobs, drains them with one worker, prints jobs per second."""

import asyncio
import sys
import time

import asyncpg  # type: ignore[import-not-found,import-untyped,unused-ignore]
from pgqueuer import PgQueuer  # type: ignore[import-not-found,unused-ignore]
from pgqueuer.db import AsyncpgDriver  # type: ignore[import-not-found,unused-ignore]
from pgqueuer.queries import Queries  # type: ignore[import-not-found,unused-ignore]

CALLERS = 8


async def enqueue(url: str, count: int) -> None:
    """Each durable when its caller goes on, as with the others."""
    connection = await asyncpg.connect(url)
    queries = Queries(AsyncpgDriver(connection))
    for _ in range(count):
        await queries.enqueue("noop", None)
    await connection.close()


async def main() -> None:
    url, count = sys.argv[1], int(sys.argv[2])
    connection = await asyncpg.connect(url)
    queries = Queries(AsyncpgDriver(connection))
    if not await connection.fetchval("SELECT to_regclass('pgqueuer')"):
        await queries.install()
    begin = time.perf_counter()
    await asyncio.gather(*(enqueue(url, count // CALLERS) for _ in range(CALLERS)))
    worker = PgQueuer(AsyncpgDriver(connection))
    done = 0

    @worker.entrypoint("noop")  # type: ignore[untyped-decorator,unused-ignore]
    async def noop(_job: object) -> None:
        nonlocal done
        done += 1
        if done == count // CALLERS * CALLERS:
            worker.shutdown.set()

    await worker.run()
    print(done / (time.perf_counter() - begin))


asyncio.run(main())

"""Procrastinate, with its own environment's Python: defers no-op jobs, drains them with one worker, prints jobs per second."""

import asyncio
import sys
import time

import procrastinate  # type: ignore[import-not-found,unused-ignore]

CALLERS = 8


async def main() -> None:
    url, count = sys.argv[1], int(sys.argv[2])
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))

    @app.task(name="noop")  # type: ignore[untyped-decorator,unused-ignore]
    async def noop() -> None:
        """Nothing."""

    async def defer(times: int) -> None:
        for _ in range(times):
            await noop.defer_async()

    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        begin = time.perf_counter()
        await asyncio.gather(*(defer(count // CALLERS) for _ in range(CALLERS)))
        await app.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)
        print(count // CALLERS * CALLERS / (time.perf_counter() - begin))


asyncio.run(main())

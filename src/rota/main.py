"""Starts a server or a worker, and says why it could not."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

import structlog

from rota.config import Loaded, explain
from rota.core.errors import RotaError
from rota.own_log import OwnLog, set_up_own_log
from rota.server import Server, Source
from rota.store.owner import take_ownership

log = structlog.get_logger()


def serve(config: Path | None = None, data: Path | None = None, listen: str | None = None, database: str | None = None) -> int:
    """Run a server until it is told to stop. Returns the exit code: 0, or 1 if it could not start, with nothing started."""
    return _run({"server.data": data, "server.listen": listen, "server.database": database}, config, _serve)


def work(
    config: Path | None = None,
    data: Path | None = None,
    database: str | None = None,
    labels: str | None = None,
    capacity: str | None = None,
) -> int:
    """Run a worker until it is told to stop. Returns the exit code: 0, or 1 if it could not start, with nothing started."""
    given = {
        "server.data": data, "server.database": database, "server.labels": labels, "server.max_concurrent_runs": capacity,
    }  # fmt: skip
    return _run({**given, "runner.kind": "temporal"}, config, _work)


Main = Callable[[Source, Loaded, OwnLog], Coroutine[object, object, None]]


async def _serve(source: Source, loaded: Loaded, own_log: OwnLog) -> None:
    await Server(source, loaded, own_log).run()


async def _work(source: Source, loaded: Loaded, own_log: OwnLog) -> None:
    from rota.worker.worker import Worker  # few installations have any

    await Worker(source, loaded, own_log).run()


def _run(given: Mapping[str, object], config: Path | None, main: Main) -> int:
    flags = {name: str(value) for name, value in given.items() if value is not None}
    try:
        source = Source(config, dict(os.environ), flags)
        loaded = source.load()
        own_log = set_up_own_log(loaded.settings.server.log_level, loaded.settings.server.log_format)
        for warning in loaded.warnings:
            log.warning(str(warning.message), at=warning.location)
        with take_ownership(loaded.settings.server.data):
            _run_in_loop(main(source, loaded, own_log))
    except RotaError as error:
        print(explain(error), file=sys.stderr)  # noqa: T201  for the person at the terminal
        return 1
    return 0


def _run_in_loop(work: Coroutine[object, object, None]) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)

"""Starts a server, and says why it could not."""

import asyncio
import os
import sys
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
    given = {"server.data": data, "server.listen": listen, "server.database": database}
    flags = {name: str(value) for name, value in given.items() if value is not None}
    try:
        source = Source(config, dict(os.environ), flags)
        loaded = source.load()
        own_log = set_up_own_log(loaded.settings.server.log_level, loaded.settings.server.log_format)
        for warning in loaded.warnings:
            log.warning(str(warning.message), at=warning.location)
        with take_ownership(loaded.settings.server.data):
            _run_in_loop(source, loaded, own_log)
    except RotaError as error:
        print(explain(error), file=sys.stderr)  # noqa: T201  for the person at the terminal
        return 1
    return 0


def _run_in_loop(source: Source, loaded: Loaded, own_log: OwnLog) -> None:
    async def run() -> None:
        await Server(source, loaded, own_log).run()

    try:
        import uvloop
    except ImportError:
        asyncio.run(run())
    else:
        uvloop.run(run())

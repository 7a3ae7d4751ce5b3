"""Hears what nodes call out, on a connection of its own that does nothing else."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from rota.core.errors import RotaError
from rota.store.postgres import PostgresDriver, load_psycopg
from rota.store.wakeups import CHANNEL

log = structlog.get_logger()

AGAIN_S = 1.0


class Listener:
    """Listens until it is cancelled; a connection that is lost is made anew.

    on_message  gets each message
    on_gap      is called whenever some may have been missed: after each connect
    """

    def __init__(self, driver: PostgresDriver, on_message: Callable[[str], None], on_gap: Callable[[], None]) -> None:
        self._driver = driver
        self._on_message = on_message
        self._on_gap = on_gap

    async def listen(self) -> None:
        while True:
            try:
                raw = await asyncio.to_thread(self._driver.listen, CHANNEL)
            except RotaError as error:
                log.debug("cannot listen to the other nodes", why=error.message)
            else:
                await self._hear(raw)
            await asyncio.sleep(AGAIN_S)

    async def _hear(self, raw: Any) -> None:
        loop, lost = asyncio.get_running_loop(), asyncio.Event()
        file = raw.fileno()
        loop.add_reader(file, self._read, raw.pgconn, lost)
        try:
            self._on_gap()
            await lost.wait()
        finally:
            loop.remove_reader(file)
            raw.close()

    def _read(self, pgconn: Any, lost: asyncio.Event) -> None:
        try:
            pgconn.consume_input()
        except load_psycopg().OperationalError:
            lost.set()
            return
        while (told := pgconn.notifies()) is not None:
            self._on_message(told.extra.decode())

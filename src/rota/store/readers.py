"""Reader threads, each with a connection of its own."""

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rota.store.connection import Connection, Driver, Work

T = TypeVar("T")


class Readers:
    """Runs functions that only read, each on one unchanging state of the database."""

    def __init__(self, driver: Driver, count: int = 4) -> None:
        self._driver = driver
        self._free: deque[Connection] = deque()
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="rota-reader")

    async def read(self, fn: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.run, fn)

    def run(self, fn: Work[T]) -> T:
        """Read in the calling thread. A connection that was lost while idle is replaced, once."""
        c = self._take()
        try:
            c.begin()
        except Exception as error:
            known = self._return(c, error)
            if not c.is_lost():
                raise known from error
            c = self._driver.connect_reader()
            c.begin()
        return self._read(c, fn)

    def _read(self, c: Connection, fn: Work[T]) -> T:
        try:
            result = fn(c)
            c.rollback()
        except BaseException as error:
            raise self._return(c, error) from error.__cause__
        self._free.append(c)
        return result

    def _take(self) -> Connection:
        try:
            return self._free.pop()
        except IndexError:
            return self._driver.connect_reader()

    def _return(self, c: Connection, error: BaseException) -> BaseException:
        known = c.translate(error)
        if c.is_lost():
            c.close()
        else:
            c.rollback()
            self._free.append(c)
        return known

    def close(self) -> None:
        self._threads.shutdown()
        while self._free:
            self._free.pop().close()

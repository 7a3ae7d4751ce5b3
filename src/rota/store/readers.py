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
        """Read in the calling thread."""
        c = self._begin()
        try:
            result = fn(c)
            c.rollback()
        except BaseException as error:
            known = self._give_back(c, error)
            if known is error:
                raise
            raise known from error
        self._free.append(c)
        return result

    def _begin(self) -> Connection:
        """A connection inside a new transaction. One that was lost while idle is replaced."""
        while True:
            c = self._take()
            try:
                c.begin()
                return c
            except Exception as error:
                known = self._give_back(c, error)
                if not c.is_lost():
                    raise known from error

    def _take(self) -> Connection:
        try:
            return self._free.pop()
        except IndexError:
            return self._driver.connect_reader()

    def _give_back(self, c: Connection, error: BaseException) -> BaseException:
        """End the transaction. Returns the error as our callers know it."""
        known = c.translate(error)
        try:
            c.rollback()
            self._free.append(c)
        except Exception:
            # What matters to the caller is the error that came first; this connection is not used again.
            c.close()
        return known

    def close(self) -> None:
        self._threads.shutdown()
        while self._free:
            self._free.pop().close()

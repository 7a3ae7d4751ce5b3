"""The one writer: all waiting functions become one transaction (group commit)."""

import asyncio
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from rota.core.errors import Unavailable
from rota.store.connection import Connection, Driver, Work

T = TypeVar("T")
# Waits between the tries to reach a lost database, in seconds. Who waits longer is told, and the next batch tries again.
RECONNECT_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8)


class Job:
    """A function on its way to the writer, and what became of it."""

    __slots__ = ("error", "fn", "loop", "result", "waiter")

    def __init__(self, fn: Work[Any], loop: asyncio.AbstractEventLoop | None, waiter: "asyncio.Future[Any] | Future[Any]") -> None:
        self.fn = fn
        self.loop = loop
        self.waiter = waiter
        self.result: Any = None
        self.error: BaseException | None = None


class Transactor:
    """Runs functions in transactions on one connection that it renews when it is lost.

    problem  why the last write failed for want of disk or database; None while all is well
    """

    def __init__(self, driver: Driver, connection: Connection) -> None:
        self._driver = driver
        self._connection: Connection | None = connection
        self._closing = threading.Event()
        self.problem: str | None = None

    def run(self, fn: Work[T]) -> T:
        """Run one function in a transaction of its own; its error undoes it."""
        c = self._begin()
        try:
            result = fn(c)
            self._commit(c)
        except BaseException as error:
            raise self._give_up(c, error) from error.__cause__
        return result

    def run_batch(self, jobs: list[Job]) -> None:
        """Run all in one transaction; a failing one is undone alone. Each job then has its result or its error."""
        try:
            if len(jobs) == 1:
                jobs[0].result = self.run(jobs[0].fn)
            else:
                self._run_together(jobs)
        except BaseException as error:  # noqa: BLE001
            for job in jobs:
                job.error = job.error or error

    def _run_together(self, jobs: list[Job]) -> None:
        c = self._begin()
        try:
            for job in jobs:
                c.mark()
                try:
                    job.result = job.fn(c)
                except BaseException as error:  # noqa: BLE001
                    job.error = self._judge(c, error)
                    c.undo()
            self._commit(c)
        except BaseException as error:
            raise self._give_up(c, error) from error

    def _begin(self) -> Connection:
        """A connection inside a new transaction. Nothing has happened yet, so a lost connection is simply replaced."""
        waits = iter(RECONNECT_WAITS_S)
        while True:
            try:
                if self._connection is None:
                    self._connection = self._driver.connect()
                self._connection.begin()
                return self._connection
            except Exception as error:
                if not self._may_retry(error, next(waits, None)):
                    raise

    def _may_retry(self, error: Exception, wait_s: float | None) -> bool:
        if self._connection is not None:
            known = self._judge(self._connection, error)
            if not self._connection.is_lost():
                raise known from error
            self._drop()
        self.problem = str(error)
        return wait_s is not None and not self._closing.wait(wait_s)

    def _commit(self, c: Connection) -> None:
        recovers = self.problem is not None and c.has_written()
        c.commit()
        if recovers:
            self.problem = None

    def _give_up(self, c: Connection, error: BaseException) -> BaseException:
        known = self._judge(c, error)
        if c.is_lost():
            self._drop()
        else:
            c.rollback()
        return known

    def _judge(self, c: Connection, error: BaseException) -> BaseException:
        known = c.translate(error)
        if known is not error:
            known.__cause__ = error
            if isinstance(known, Unavailable):
                self.problem = known.message
        return known

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def interrupt(self) -> None:
        """Stop waiting for a lost database."""
        self._closing.set()

    def close(self) -> None:
        self._drop()


class Writer:
    """A thread that hands all waiting functions to the transactor at once."""

    def __init__(self, transactor: Transactor) -> None:
        self._transactor = transactor
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="rota-writer", daemon=True)
        self._thread.start()

    def submit(self, fn: Work[T]) -> "asyncio.Future[T]":
        """From an event loop. A caller that stops waiting does not stop the function."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()
        self._queue.put(Job(fn, loop, waiter))
        return waiter

    def submit_sync(self, fn: Work[T]) -> "Future[T]":
        """From any thread."""
        waiter: Future[T] = Future()
        self._queue.put(Job(fn, None, waiter))
        return waiter

    def close(self) -> None:
        """Finish what waits, then end the thread."""
        self._transactor.interrupt()
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            jobs = [first]
            last = self._take_waiting(jobs)
            self._transactor.run_batch(jobs)
            resolve(jobs)
            if last:
                return

    def _take_waiting(self, jobs: list[Job]) -> bool:
        """Move all waiting jobs to `jobs`; True if the end was among them."""
        take = self._queue.get_nowait
        try:
            while (job := take()) is not None:
                jobs.append(job)
        except Empty:
            return False
        return True


def resolve(jobs: list[Job]) -> None:
    """Tell every caller, with one wake-up for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, group in by_loop.items():
        if loop is None:
            settle(group)
        elif not loop.is_closed():
            try:
                loop.call_soon_threadsafe(settle, group)
            except RuntimeError:
                # The loop was closed meanwhile: nobody waits there any more.
                continue


def settle(jobs: Iterable[Job]) -> None:
    for job in jobs:
        waiter = job.waiter
        if waiter.done():
            continue
        if job.error is None:
            waiter.set_result(job.result)
        else:
            waiter.set_exception(job.error)

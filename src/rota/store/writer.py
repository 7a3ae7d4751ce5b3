"""The one writer: all waiting functions become one transaction (group commit)."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from rota.core.errors import Unavailable
from rota.store.connection import Connection, Contended, Driver, Work

T = TypeVar("T")
# Waits between the tries to reach a lost database, in seconds. Who waits longer is told, and the next batch tries again.
RECONNECT_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8)
CLOSED = "the database was closed"


# For each item, in their order, what came of it, or the error that refuses it. Nothing is written for what is refused.
WorkOnAll = Callable[[Connection, Sequence[Any]], Sequence[Any]]


class Part(Generic[T]):
    """One item of a function that takes many of them at once."""

    __slots__ = ("fn", "item")

    def __init__(self, fn: WorkOnAll, item: Any) -> None:
        self.fn = fn
        self.item = item

    def __call__(self, c: Connection) -> T:
        """By itself."""
        result: T | BaseException
        (result,) = self.fn(c, [self.item])
        if isinstance(result, BaseException):
            raise result
        return result


class Job:
    """A function on its way to the writer, and what became of it."""

    __slots__ = ("error", "fn", "loop", "result", "waiter")

    def __init__(
        self, fn: Work[Any], loop: asyncio.AbstractEventLoop | None, waiter: "asyncio.Future[Any] | Future[Any]"
    ) -> None:
        self.fn = fn
        self.loop = loop
        self.waiter = waiter
        self.result: Any = None
        self.error: BaseException | None = None


class Transactor:
    """Runs functions in transactions on one connection, which it renews when it is lost.

    problem  why the last write failed for want of disk or database; None while all is well
    """

    def __init__(self, driver: Driver, connection: Connection) -> None:
        self.dialect = connection.dialect
        self._driver = driver
        self._connection: Connection | None = connection
        self._closing = threading.Event()
        self._is_closed = False
        self.problem: str | None = None

    def run(self, fn: Work[T]) -> T:
        """Run one function in a transaction of its own; its error undoes it."""
        c = self._begin()
        try:
            result = fn(c)
            self._commit(c)
        except BaseException as error:
            known = self._give_up(error)
            if known is error:
                raise
            raise known from error
        return result

    def run_batch(self, jobs: list[Job]) -> None:
        """Run all in one transaction; a failing one is undone alone. Each job then has its result or its error.

        Every function runs once, under a savepoint. Running all without and repeating them when one fails would be faster
        (SQLite 1.2 times, PostgreSQL 1.5 times), but a function that is quietly run twice is a trap for whoever writes it.
        Only parts of one function that stand side by side are done together, and one by one if that fails.
        """
        try:
            if len(jobs) == 1:
                jobs[0].result = self.run(jobs[0].fn)
            else:
                self._run_together(jobs)
        except BaseException as error:
            for job in jobs:
                job.error = job.error or error

    def _run_together(self, jobs: list[Job]) -> None:
        c = self._begin()
        try:
            for fn, group in groupby(jobs, _many):
                side_by_side = list(group)
                if fn is None or len(side_by_side) == 1 or not self._run_parts(c, fn, side_by_side):
                    self._run_each(c, side_by_side)
            self._commit(c)
        except BaseException as error:
            known = self._give_up(error)
            if known is error:
                raise
            raise known from error

    def _run_each(self, c: Connection, jobs: list[Job]) -> None:
        for job in jobs:
            c.mark()
            try:
                job.result = job.fn(c)
            except BaseException as error:
                job.error = self._judge(error)
                self._undo(c, job.error)

    def _run_parts(self, c: Connection, fn: WorkOnAll, jobs: list[Job]) -> bool:
        """False, with nothing written, if one of them made all of them fail: which one shows when each runs alone."""
        c.mark()
        try:
            results = fn(c, [job.fn.item for job in jobs if isinstance(job.fn, Part)])
        except Exception as error:
            self._undo(c, self._judge(error))
            return False
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, BaseException):
                job.error = result
            else:
                job.result = result
        return True

    def _undo(self, c: Connection, cause: BaseException) -> None:
        """Go back to the mark. Some failures end the whole transaction: then they are everybody's."""
        try:
            c.undo()
        except Exception:
            if isinstance(cause, Unavailable):
                raise cause from cause.__cause__
            raise

    def _begin(self) -> Connection:
        """The connection, inside a new transaction. Nothing has been done yet, so a lost connection is simply replaced."""
        if self._is_closed:
            raise Unavailable(CLOSED)
        waits_s = iter(RECONNECT_WAITS_S)
        while True:
            try:
                if self._connection is None:
                    self._connection = self._driver.connect()
                self._connection.begin()
                return self._connection
            except Exception as error:
                known = self._give_up(error)
                wait_s = next(waits_s, None)
                if self._connection is not None or wait_s is None or self._closing.wait(wait_s):
                    raise known from error

    def _commit(self, c: Connection) -> None:
        recovers = self.problem is not None and c.has_written()
        c.commit()
        if recovers:
            self.problem = None

    def _give_up(self, error: BaseException) -> BaseException:
        """End the transaction. Returns the error as our callers know it."""
        known = self._judge(error)
        try:
            if self._connection is not None and not self._connection.is_lost():
                self._connection.rollback()
                return known
        except Exception as failure:
            known = self._judge(failure)
        self._drop()
        return known

    def _judge(self, error: BaseException) -> BaseException:
        known = self._connection.translate(error) if self._connection is not None else error
        if isinstance(known, StopIteration):
            known = RuntimeError("a store function raised StopIteration")
        if known is not error:
            known.__cause__ = error
        if isinstance(known, Unavailable) and not isinstance(known, Contended):
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
        self._is_closed = True
        self._drop()


class Writer:
    """A thread that hands all waiting functions to the transactor at once."""

    def __init__(self, transactor: Transactor) -> None:
        self._transactor = transactor
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="rota-writer", daemon=True)
        self._thread.start()

    def submit(self, fn: Work[T]) -> "asyncio.Future[T]":
        """From an event loop. A caller that stops waiting does not stop the function."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()
        self._put(Job(fn, loop, waiter))
        return waiter

    def submit_sync(self, fn: Work[T]) -> "Future[T]":
        """From any thread."""
        waiter: Future[T] = Future()
        self._put(Job(fn, None, waiter))
        return waiter

    def close(self) -> None:
        """Finish what waits, then end the thread."""
        self._is_closed = True
        self._transactor.interrupt()
        self._queue.put(None)
        self._thread.join()

    def _put(self, job: Job) -> None:
        if self._is_closed:
            raise Unavailable(CLOSED)
        self._queue.put(job)

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


def _many(job: Job) -> WorkOnAll | None:
    return job.fn.fn if isinstance(job.fn, Part) else None


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

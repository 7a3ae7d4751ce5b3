"""The stored data, opened by a command itself: for what needs no server."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from rota.cli.place import Place

if TYPE_CHECKING:
    from rota.ops.context import Rota
    from rota.store.database import Database

T = TypeVar("T")


@contextmanager
def open_rota(place: Place, *, create: bool = False) -> Iterator["Rota"]:
    """What `ops` are given, without a server around it.

    `create` makes a data directory that is not there; otherwise that raises Failure. A server may be running at the same time:
    both databases take writes of several processes. Raises Conflict for one that was moved away, or is not whole yet.
    """
    from rota.blobs import build_blobs
    from rota.bus import Bus
    from rota.cli import online
    from rota.clock import SystemClock
    from rota.datadir import BLOBS
    from rota.ids import Ids
    from rota.logs import RunLogs
    from rota.ops.context import Rota
    from rota.store.database import open_database
    from rota.store.moved import refuse_unusable
    from rota.store.owner import make_directory
    from rota.vitals import Vitals

    url = place.database_url(create=create)
    if create:
        make_directory(place.data_dir)
    clock, database = SystemClock(), open_database(url, in_use=online.answers(place.socket))
    bus, caller = Bus(), Caller(database)
    try:
        database.run(refuse_unusable, write=False)
        bus.outward = caller
        yield Rota(
            database=database,
            clock=clock,
            ids=Ids(clock),
            bus=bus,
            logs=RunLogs(place.logs),
            blobs=build_blobs(place.settings.blobs, place.data_dir / BLOBS, database, clock),
            vitals=Vitals(started_at=clock.now()),
            default_timezone=place.settings.scheduler.timezone,
        )
        caller.call()
    finally:
        database.close()


class Caller:
    """Tells servers on a database that several share whose rights a command has changed. One that has a file to itself hears
    of it over its control socket, from the commands that take something away."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._told: list[list[Any]] = []

    def wake(self, name: str) -> None:
        """They look for themselves."""

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        from rota.bus import RIGHTS

        if kind == RIGHTS and self._database.dialect == "postgres":
            self._told.append([kind, data])

    def call(self) -> None:
        if self._told:
            from rota.engine.relay import messages_of
            from rota.store.wakeups import call_out

            self._database.run(lambda c: call_out(c, messages_of(self._told)))


def ask(place: Place, question: Callable[["Rota"], Awaitable[T]]) -> T:
    """Run one op on the stored data, which is created if there is none yet: users and keys come before the first start."""
    with open_rota(place, create=True) as rota:
        return asyncio.run(_await(question(rota)))


async def _await(answer: Awaitable[T]) -> T:
    return await answer

"""The stored data, opened by a command itself: for what needs no server."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from rota.cli.place import Place

if TYPE_CHECKING:
    from rota.ops.context import Rota

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
    try:
        database.run(refuse_unusable, write=False)
        yield Rota(
            database=database,
            clock=clock,
            ids=Ids(clock),
            bus=Bus(),
            logs=RunLogs(place.logs),
            blobs=build_blobs(place.settings.blobs, place.data_dir / BLOBS, database, clock),
            vitals=Vitals(started_at=clock.now()),
            default_timezone=place.settings.scheduler.timezone,
        )
    finally:
        database.close()


def ask(place: Place, question: Callable[["Rota"], Awaitable[T]]) -> T:
    """Run one op on the stored data, which is created if there is none yet: users and keys come before the first start."""
    with open_rota(place, create=True) as rota:
        return asyncio.run(_await(question(rota)))


async def _await(answer: Awaitable[T]) -> T:
    return await answer

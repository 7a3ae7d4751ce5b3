"""What carries out the work of a server on PostgreSQL: one worker, in this process, too."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests import under
from tests.schemas import lend_to

from rota.blobs import LocalBlobs
from rota.datadir import BLOBS
from rota.ops.context import Rota
from rota.own_log import OwnLog
from rota.runners.fleet.crew import WORKER
from rota.server import Source
from rota.store import nodes
from rota.store.connection import Connection
from rota.worker.worker import Worker


def scaled(source: Source) -> Source:
    """The same settings, but for what is under them."""
    return _changed(source, **fleet_of(data_of(source)))


def fleet_of(data: Path) -> dict[str, str]:
    """Settings that give a data directory a schema and a task queue of its own."""
    schema = lend_to(data)
    return {
        "server.database": schema.url, "runner.kind": "temporal", "runner.address": under.temporal().address,
        "runner.task_queue": f"{schema.name}-{schema.turn}",
    }  # fmt: skip


class AtWork:
    """A worker of the server with these settings."""

    def __init__(self, source: Source) -> None:
        data = data_of(source)
        own = data.with_name(f"{data.name}-of-worker")
        share_blobs(data, own)
        source = _changed(source, **{"server.data": str(own)})
        self._worker = Worker(source, source.load(), OwnLog(io.StringIO()))
        self.rota = self._worker._rota
        if isinstance(self.rota.blobs, LocalBlobs):  # a drive that is in the network by our word alone
            self.rota.blobs.takes = True
        self._working = asyncio.create_task(self._worker.work())

    async def begin(self) -> None:
        """Returns when servers can see it."""
        while not await self.rota.database.read(_has_worker):
            assert not self._working.done(), self._working
            await asyncio.sleep(0.005)

    async def end(self) -> None:
        """What it has ends, too."""
        self._worker.stop()
        await self._working


async def until_told(rota: Rota) -> None:
    """Returns when the server has written down all that workers have said."""
    async with asyncio.timeout(5):
        while await rota.database.read(_is_something_untold):  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.005)


@asynccontextmanager
async def working(source: Source) -> AsyncIterator[AtWork]:
    at_work = AtWork(source)
    try:
        await at_work.begin()
        yield at_work
    finally:
        await at_work.end()


def _is_something_untold(c: Connection) -> bool:
    return c.row("SELECT 1 FROM placements WHERE finished IS NOT NULL") is not None


def data_of(source: Source) -> Path:
    return source.load().settings.server.data


def _changed(source: Source, **flags: str) -> Source:
    return Source(source.path, source.environ, {**source._flags, **flags})


def share_blobs(data: Path, own: Path) -> None:
    """A server and a worker keep their artifacts in one place, as on a network drive."""
    (data / BLOBS).mkdir(parents=True, exist_ok=True)
    own.mkdir(exist_ok=True)
    if not (own / BLOBS).exists():
        (own / BLOBS).symlink_to(data / BLOBS)


def _has_worker(c: Connection) -> bool:
    return any(seen.node.kind == WORKER for seen in nodes.list_nodes(c))

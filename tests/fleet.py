"""What carries out the work of a server on PostgreSQL: one worker, in this process, too."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests import under
from tests.schemas import lend_to

from rota.datadir import BLOBS
from rota.own_log import OwnLog
from rota.runners.fleet.crew import WORKER
from rota.server import Source
from rota.store import nodes
from rota.store.connection import Connection
from rota.worker.worker import Worker


def scaled(source: Source) -> Source:
    """The same settings, but for the schema of their data directory and a task queue of the test's own."""
    schema = lend_to(data_of(source))
    return _changed(source, **{
        "server.database": schema.url, "runner.kind": "temporal", "runner.address": under.temporal().address,
        "runner.task_queue": f"{schema.name}-{schema.turn}",
    })  # fmt: skip


@asynccontextmanager
async def working(source: Source) -> AsyncIterator[Worker]:
    """A worker of the server with these settings. Both keep their artifacts in one place, as on a network drive."""
    data = data_of(source)
    own = data.with_name(f"{data.name}-of-worker")
    await asyncio.to_thread(_lay_out, data, own)
    at_work = _changed(source, **{"server.data": str(own)})
    worker = Worker(at_work, at_work.load(), OwnLog(io.StringIO()))
    task = asyncio.create_task(worker.work())
    while not await worker._rota.database.read(_is_there):
        assert not task.done(), task
        await asyncio.sleep(0.005)
    try:
        yield worker
    finally:
        worker.stop()
        await task


def data_of(source: Source) -> Path:
    return source.load().settings.server.data


def _changed(source: Source, **flags: str) -> Source:
    return Source(source.path, source.environ, {**source._flags, **flags})


def _lay_out(data: Path, own: Path) -> None:
    (data / BLOBS).mkdir(parents=True, exist_ok=True)
    own.mkdir(exist_ok=True)
    if not (own / BLOBS).exists():
        (own / BLOBS).symlink_to(data / BLOBS)


def _is_there(c: Connection) -> bool:
    return any(seen.node.kind == WORKER for seen in nodes.list_nodes(c))

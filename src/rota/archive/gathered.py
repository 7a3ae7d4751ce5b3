"""Logs that several servers shared through their database, as files of the one that has its own from now on."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from rota.blobs import Blobs
from rota.blobs.local import LocalBlobs
from rota.clock import SystemClock
from rota.core.errors import Unavailable
from rota.datadir import BLOBS, LOGS, PLACE
from rota.logs import LogName, RunLogs
from rota.runners.copies.mirror import Mirror
from rota.store import sharedlogs
from rota.store.database import Database

AT_ONCE = 200
# Where objects are, of this database and this data directory.
FindBlobs = Callable[[Database, Path], Blobs]


def in_directory(database: Database, data_dir: Path) -> Blobs:
    """Where there is no bucket."""
    return LocalBlobs(data_dir / BLOBS, database, SystemClock())


def gather_logs(database: Database, data_dir: Path, find_blobs: FindBlobs) -> None:
    """Write each log that the database, or the bucket, holds into the data directory, and forget it there.

    What this directory has written itself stays as it is. A log whose objects cannot be had stays where it is, unread.
    """
    asyncio.run(_gather(database, data_dir, find_blobs(database, data_dir)))


async def _gather(database: Database, data_dir: Path, blobs: Blobs) -> None:
    logs, after = RunLogs(data_dir / LOGS), ""
    place = (data_dir / PLACE).read_text() if (data_dir / PLACE).exists() else None
    while found := await database.read(partial(sharedlogs.list_shared_logs, after_id=after, limit=AT_ONCE)):
        mirror = Mirror(database, logs, blobs)
        for task_name, created_at, shared in found:
            name = LogName(task_name, created_at, shared.run_id)
            with suppress(Unavailable):
                if shared.writer != place or not logs.paths(name).current.data.exists():
                    await mirror.bring(name, shared, is_final=True)
                await database.write(partial(sharedlogs.forget, run_id=shared.run_id))
        after = found[-1][2].run_id

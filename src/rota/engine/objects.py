"""Deletes the objects of artifacts that have expired, and those of artifacts and logs whose runs are gone."""

from functools import partial

import structlog

from rota.blobs import Blobs
from rota.core.artifact import UPLOAD_TIME
from rota.core.errors import Unavailable
from rota.engine.context import Engine
from rota.store import artifacts, sharedlogs

log = structlog.get_logger()

BATCH = 500


async def sweep_objects(engine: Engine, blobs: Blobs) -> int:
    """One pass. A row goes after its object, so that a pass that is broken off is gone through again. Returns how many went."""
    return await _sweep_artifacts(engine, blobs) + await _sweep_logs(engine, blobs)


async def _sweep_logs(engine: Engine, blobs: Blobs) -> int:
    swept = 0
    while keys := await engine.database.read(partial(sharedlogs.list_orphans, limit=BATCH)):
        try:
            for key in keys:
                await blobs.delete(key)
        except Unavailable as error:
            log.warning("logs of runs that are gone stay for now", why=error.message)
            return swept
        await engine.write_led(partial(sharedlogs.delete_orphans, keys=keys))
        swept += len(keys)
    return swept


async def _sweep_artifacts(engine: Engine, blobs: Blobs) -> int:
    now, swept = engine.clock.now(), 0
    while True:
        doomed = await engine.database.write(partial(artifacts.doom_artifacts, now=now, limit=BATCH))
        try:
            for _, key in doomed:
                await blobs.delete(key)
        except Unavailable as error:
            log.warning("expired artifacts stay for now", why=error.message)
            return swept
        await engine.database.write(partial(artifacts.delete_doomed, ids=[each for each, _ in doomed]))
        swept += len(doomed)
        if len(doomed) < BATCH:
            return swept + await blobs.sweep(now - UPLOAD_TIME)

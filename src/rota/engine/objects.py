"""Deletes the objects of artifacts that have expired, or whose runs are gone."""

from functools import partial

import structlog

from rota.blobs import Blobs
from rota.core.artifact import UPLOAD_TIME
from rota.core.errors import Unavailable
from rota.engine.context import Engine
from rota.store import artifacts

log = structlog.get_logger()

BATCH = 500


async def sweep_objects(engine: Engine, blobs: Blobs) -> int:
    """One pass. A row goes after its object, so that a pass that is broken off is gone through again. Returns how many went."""
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

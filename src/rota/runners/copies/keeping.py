"""Moves logs that are over from the database into the store of objects."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from rota.blobs import Blobs
from rota.runners.copies.mirror import pack
from rota.store import logchunks, sharedlogs
from rota.store.database import Database, Work
from rota.store.logchunks import Chunk

# Logs, and chunks, looked at a time.
PAGE, CHUNKS = 100, 64
# Of a log in one object, before it is compressed.
MOST_BYTES = 32 * 1024 * 1024
Write = Callable[[Work[Any]], Awaitable[Any]]


async def keep_logs(database: Database, blobs: Blobs, write: Write, most_bytes: int = MOST_BYTES) -> int:
    """One pass. The objects of a log are there before its chunks go, all in one write; a pass that is broken off is gone through
    again. Returns how many logs were moved. Raises Unavailable.

    write  as `Database.write`, and raises where another server looks after this
    """
    kept, after_id = 0, ""
    while page := await database.read(partial(sharedlogs.list_unkept, after_id=after_id, limit=PAGE)):
        for run_id, seq in page:
            kept += await _keep(database, blobs, write, run_id, seq, most_bytes)
        after_id = page[-1][0]
    return kept


async def _keep(database: Database, blobs: Blobs, write: Write, run_id: str, seq: int, most_bytes: int) -> bool:
    """False if more was told of it meanwhile."""
    keys: list[str] = []
    async for part in _parts(database, run_id, most_bytes):
        key = f"logs/{run_id}/{part[-1].seq}"
        noted = (key, part[-1].seq)
        await write(partial(sharedlogs.note_objects, run_id=run_id, objects=[noted]))
        await blobs.put(key, pack(part))
        keys.append(key)
    return bool(await write(partial(sharedlogs.keep, run_id=run_id, seq=seq, keys=keys)))


async def _parts(database: Database, run_id: str, most_bytes: int) -> AsyncIterator[list[Chunk]]:
    part: list[Chunk] = []
    seq = size = 0
    while chunks := await database.read(partial(logchunks.list_chunks, run_id=run_id, after_seq=seq, limit=CHUNKS)):
        seq = chunks[-1].seq
        for chunk in chunks:
            part.append(chunk)
            size += len(chunk.data)
            if size >= most_bytes:
                yield part
                part, size = [], 0
    if part:
        yield part

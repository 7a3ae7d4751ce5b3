"""Brings logs here that were written on other machines."""

import asyncio
import zlib
from collections import OrderedDict
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct, field

from rota.blobs import Blobs
from rota.core.errors import NotFound, Unavailable
from rota.logs import LogName, RunLogs
from rota.logs.changes import Mark
from rota.logs.copy import LogCopy
from rota.store import logchunks, sharedlogs
from rota.store.connection import Connection
from rota.store.database import Database
from rota.store.logchunks import Chunk
from rota.store.sharedlogs import SharedLog

# Chunks read at a time.
PAGE = 64
# Copies that can be gone on with; others are begun anew.
MOST_KNOWN = 1000


class Copied(Struct):
    """How far a copy has come, and from which beginning."""

    copy: LogCopy | None = None
    base: int = 0
    seq: int = 0
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


class Mirror:
    """Copies of logs, each brought up to date when it is asked for."""

    def __init__(self, database: Database, logs: RunLogs, blobs: Blobs) -> None:
        self._database = database
        self._logs = logs
        self._blobs = blobs
        self._known: OrderedDict[str, Copied] = OrderedDict()

    async def bring(self, name: LogName, shared: SharedLog, *, is_final: bool = False) -> bool:
        """Write here what was told of a log since the last time. True if that was anything. Raises Unavailable, OSError.

        shared    as it was read last: what is only looked at again if it says that there is more
        is_final  nothing follows
        """
        copied = self._know(name.run_id)
        async with copied.busy:
            if self._logs.is_written(name):
                return False
            if (
                copied.copy is None
                and not copied.seq
                and shared.is_whole
                and await asyncio.to_thread(self._is_here, name, shared)
            ):
                copied.base, copied.seq = shared.base, shared.seq
            is_new = (copied.base, copied.seq) != (shared.base, shared.seq)
            if is_new:
                await self._bring(name, copied)
            if is_final:
                self.forget(name)
            return is_new

    def forget(self, name: LogName) -> None:
        """Nothing more comes from there: it is written here from now on, or has ended."""
        self._logs.end_copy(name)

    def drop(self, name: LogName) -> None:
        """What is here of it is no copy any more."""
        self.forget(name)
        self._known.pop(name.run_id, None)

    async def _bring(self, name: LogName, copied: Copied) -> None:
        while True:
            shared, chunks = await self._database.read(partial(_page, run_id=name.run_id, after_seq=copied.seq))
            if shared is None:
                return
            if copied.copy is None or copied.base != shared.base:
                copied.copy = self._logs.begin_copy(name)
                copied.base = copied.seq = shared.base
            elif copied.seq < shared.kept_seq:
                await self._bring_objects(copied.copy, copied, shared)
            elif chunks:
                _write(copied.copy, chunks)
                copied.seq = chunks[-1].seq
            else:
                return

    async def _bring_objects(self, copy: LogCopy, copied: Copied, shared: SharedLog) -> None:
        for key in await self._database.read(partial(sharedlogs.list_objects, run_id=shared.run_id)):
            try:
                packed = b"".join([piece async for piece in (await self._blobs.get(key)).pieces])
            except NotFound:
                raise Unavailable("the store of objects does not have this log", hint="see [blobs] in the settings") from None
            await asyncio.to_thread(_unpack, packed, copied.seq, copy)
        copied.seq = shared.kept_seq

    def _is_here(self, name: LogName, shared: SharedLog) -> bool:
        """From an earlier life of this server."""
        mark = msgspec.json.decode(shared.mark, type=Mark)
        data = self._logs.paths(name).current.data
        is_as_long = data.exists() and data.stat().st_size == mark.data_at
        return is_as_long and bool(mark.segment) and self._logs.reader(name).page(0, 0).finalized

    def _know(self, run_id: str) -> Copied:
        copied = self._known.setdefault(run_id, Copied())
        self._known.move_to_end(run_id)
        if len(self._known) > MOST_KNOWN and not next(iter(self._known.values())).busy.locked():
            self._known.popitem(last=False)
        return copied


def pack(chunks: list[Chunk]) -> bytes:
    """As an object holds them."""
    return zlib.compress(msgspec.msgpack.encode(chunks))


def _unpack(packed: bytes, after_seq: int, copy: LogCopy) -> None:
    chunks: list[Chunk] = msgspec.msgpack.decode(zlib.decompress(packed), type=list[Chunk])
    _write(copy, [chunk for chunk in chunks if chunk.seq > after_seq])


def _write(copy: LogCopy, chunks: list[Chunk]) -> None:
    for chunk in chunks:
        copy.write(chunk.segment, chunk.file, chunk.at, chunk.data)


def _page(c: Connection, **wanted: Any) -> tuple[SharedLog | None, list[Chunk]]:
    """What is told of a log and some of its chunks, as they are at one moment."""
    run_id = wanted["run_id"]
    shared = sharedlogs.find_shared_logs(c, [run_id]).get(run_id)
    return shared, logchunks.list_chunks(c, limit=PAGE, **wanted) if shared else []

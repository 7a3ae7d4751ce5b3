"""Brings the logs of runs here that workers write."""

import asyncio
from collections import OrderedDict
from functools import partial

from msgspec import Struct, field

from rota.logs import LogName, RunLogs
from rota.logs.copy import LogCopy
from rota.store import logchunks
from rota.store.database import Database

# Chunks read at a time.
PAGE = 64
# Copies that can be gone on with; others are begun anew.
MOST_KNOWN = 1000


class Copied(Struct):
    """How far a copy has come."""

    copy: LogCopy | None = None
    seq: int = 0
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


class Mirror:
    """Copies of logs, each brought up to date when it is asked for. The log of a run that no worker has is left alone."""

    def __init__(self, database: Database, logs: RunLogs) -> None:
        self._database = database
        self._logs = logs
        self._known: OrderedDict[str, Copied] = OrderedDict()

    async def bring(self, name: LogName, *, is_over: bool = False) -> bool:
        """Write here what was told of a log since the last time. True if that was anything. Raises Unavailable, OSError.

        is_over  of a run that has ended: nothing follows
        """
        copied = self._know(name.run_id)
        async with copied.busy:
            begun = copied.seq
            while chunks := await self._database.read(
                partial(logchunks.list_chunks, run_id=name.run_id, after_seq=copied.seq, limit=PAGE)
            ):
                if copied.copy is None:
                    copied.copy = self._logs.begin_copy(name)
                for chunk in chunks:
                    copied.copy.write(chunk.segment, chunk.file, chunk.at, chunk.data)
                copied.seq = chunks[-1].seq
            if is_over:
                self.forget(name)
            return copied.seq > begun

    def forget(self, name: LogName) -> None:
        """Nothing more comes from there: it is written here from now on, or has ended."""
        self._logs.end_copy(name)

    def _know(self, run_id: str) -> Copied:
        copied = self._known.setdefault(run_id, Copied())
        self._known.move_to_end(run_id)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return copied

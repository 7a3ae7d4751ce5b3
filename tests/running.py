"""A server in this process: all its loops, and no sockets."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rota.ops.context import Rota
from rota.own_log import OwnLog
from rota.server import Source, life
from rota.server.parts import build_parts
from rota.server.reload import Reload


@asynccontextmanager
async def running(source: Source) -> AsyncIterator[Rota]:
    """What its surfaces are given."""
    loaded = source.load()
    await asyncio.to_thread(loaded.settings.server.data.mkdir, exist_ok=True)
    parts = build_parts(source, loaded, OwnLog(io.StringIO()))
    parts.rota.reload = Reload(source, parts)
    await life.boot(parts)
    loops = life.start_loops(parts)
    try:
        yield parts.rota
    finally:
        await life.shut_down(parts, loops)
        parts.rota.bus.wake("closing")
        life.close(parts)

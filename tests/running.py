"""A server in this process: all its loops, and no sockets. With PostgreSQL and Temporal under it, if the tests are to be so."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests import under

from rota.ops.context import Rota
from rota.own_log import OwnLog
from rota.server import Source, life
from rota.server.parts import build_parts
from rota.server.reload import Reload


@asynccontextmanager
async def running(source: Source) -> AsyncIterator[Rota]:
    """What its surfaces are given."""
    if not under.scale:
        async with _serving(source) as rota:
            yield rota
        return
    from tests.fleet import scaled, until_told, working

    source = scaled(source)
    async with working(source) as at_work, _serving(source) as rota:
        at_work.rota.tools._tools = rota.tools._tools  # tests add some of their own
        yield rota
        # As where there is one server alone, what it has ends with it.
        await at_work.end()
        await until_told(rota)


@asynccontextmanager
async def _serving(source: Source) -> AsyncIterator[Rota]:
    loaded = source.load()
    await asyncio.to_thread(loaded.settings.server.data.mkdir, exist_ok=True)
    parts = build_parts(source, loaded, OwnLog(io.StringIO()))
    parts.rota.reload = Reload(source, parts)
    try:
        await life.boot(parts)
        loops = life.start_loops(parts)
        try:
            yield parts.rota
        finally:
            await life.shut_down(parts, loops)
    finally:
        parts.rota.bus.wake("closing")
        life.close(parts)

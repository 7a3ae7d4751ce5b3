"""The log of a task's last run."""

import asyncio
from collections.abc import AsyncGenerator

from rota.http.reply import JSON, PieceReply, Reply, encode, ok
from rota.http.routes import Ask
from rota.logs import LogReader
from rota.ops import moduletasks
from rota.surfaces.fylr import translate
from rota.surfaces.fylr.tasks import number_of, page_of, ruled

# There is no most that may be asked for; what is more than this is sent piece by piece.
PIECE = 5000


async def get_log(ask: Ask) -> Reply | PieceReply:
    number = number_of(ask)
    with ruled(number):
        reader = await moduletasks.open_log(ask.rota, ask.actor, number)
    limit, offset = page_of(ask.query)
    if reader is None:
        return ok([])
    if limit > PIECE:
        return PieceReply(_pieces(reader, offset, limit), JSON)
    return ok(translate.entries((await asyncio.to_thread(reader.page, offset, limit)).lines))


async def _pieces(reader: LogReader, offset: int, limit: int) -> AsyncGenerator[bytes]:
    yield b"["
    end, separator = offset + limit, b""
    while lines := (await asyncio.to_thread(reader.page, offset, min(PIECE, end - offset))).lines:
        yield separator + encode(translate.entries(lines))[1:-1]
        offset, separator = lines[-1].n + 1, b","
        if offset >= end:
            break
    yield b"]"

"""Which installation this is."""

import secrets

from rota.ops.context import Rota
from rota.store import settings
from rota.store.database import Connection

NAME = "fingerprint"
BYTES = 16


async def get_fingerprint(rota: Rota) -> str:
    """32 hex digits that stay the same for the life of the database."""
    known = await rota.database.read(lambda c: settings.find_setting(c, NAME))
    return await rota.database.write(_make) if known is None else known


def _make(c: Connection) -> str:
    return settings.insert_setting(c, NAME, secrets.token_hex(BYTES))

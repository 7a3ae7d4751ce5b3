"""Tokens that were taken back before they expired."""

from datetime import datetime

from rota.ops.context import Rota
from rota.store import revocations


async def revoke_token(rota: Rota, token_id: str, expires_at: datetime) -> None:
    """From now on, and over restarts. No error if it was taken back before."""
    await rota.database.write(lambda c: revocations.insert_revocation(c, token_id, expires_at))


async def is_revoked(rota: Rota, token_id: str) -> bool:
    return await rota.database.read(lambda c: revocations.is_revoked(c, token_id))

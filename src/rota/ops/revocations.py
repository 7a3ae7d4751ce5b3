"""Tokens that were taken back before they expired."""

from datetime import datetime

from rota.core.actor import Actor
from rota.ops import audit
from rota.ops.context import Rota
from rota.store import revocations
from rota.store.database import Connection


async def revoke_token(rota: Rota, token_id: str, expires_at: datetime, of: str, *, actor: Actor | None = None) -> None:
    """From now on, and over restarts. No error if it was taken back before.

    of     id of who showed it: what they hold open is asked for again
    actor  the same, for the audit log
    """

    def write(c: Connection) -> None:
        revocations.insert_revocation(c, token_id, expires_at)
        if actor is not None:
            audit.note(c, rota, actor, "token.revoked", actor.id, token_id=token_id)

    await rota.database.write(write)
    rota.bus.tell_rights(of)


async def use_up(rota: Rota, token_id: str, expires_at: datetime) -> bool:
    """Take back a token that is good for one use; False if that was its second."""
    return await rota.database.write(lambda c: revocations.insert_revocation(c, token_id, expires_at))


async def is_revoked(rota: Rota, token_id: str) -> bool:
    return await rota.database.read(lambda c: revocations.is_revoked(c, token_id))

"""Whether somebody would be shown again what they are being shown: asked when their rights have changed, and never else."""

import asyncio
from collections.abc import Awaitable, Callable

from rota.bus import Rights
from rota.core.actor import Actor
from rota.core.errors import RotaError


async def until_lost(rights: Rights, since: int, actor: Actor, ask_again: Callable[[], Awaitable[Actor]]) -> None:
    """Until what was shown to `actor` would be refused now, or shown to somebody who may do other things.

    since      `rights.changes` from before the actor was let in
    ask_again  asks for the same with the same credential; any refusal ends this, also one for want of room or of a database:
               a client that comes again is told what is wrong, and a stream that goes on would not be
    """
    changed = asyncio.Event()
    with rights.followed(actor.id, changed.set):
        if rights.changes != since:
            changed.set()
        while True:
            await changed.wait()
            changed.clear()
            try:
                if await ask_again() != actor:
                    return
            except RotaError:
                return

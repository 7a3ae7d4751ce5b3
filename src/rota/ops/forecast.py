"""When a task is due next."""

import asyncio
from datetime import datetime

from rota.core.actor import Actor
from rota.core.schedule import Planned, occurrences
from rota.ops.context import Rota
from rota.ops.tasks import get_task

MOST = 1000


async def list_next(rota: Rota, actor: Actor, reference: str, *, count: int, after: datetime | None) -> list[Planned]:
    """The next `count` (at most 1,000) planned instants after a moment, or after now. Raises NotFound.

    The answer is the schedule's alone: a paused task has one too.
    """
    task = await get_task(rota, actor, reference)
    start = after or rota.clock.now()
    return await asyncio.to_thread(occurrences, rota.schedule_of(task), start, min(count, MOST))

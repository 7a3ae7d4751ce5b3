"""Runs: list, get, cancel, wait for the end."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from rota.bus import Watcher
from rota.core.actor import Actor
from rota.core.run import Attempt, Receipt, Run
from rota.core.states import ENDED, State
from rota.core.task import Task
from rota.ops import access, ends
from rota.ops.context import Rota
from rota.store import runs
from rota.store.database import Connection

# A notice can be lost by a slow watcher; the store cannot.
LOOK_AGAIN_S = 5.0
# The dispatcher judges a run within milliseconds; where none works, nobody is kept waiting for long.
ADMISSION_S = 2.0


async def list_runs(
    rota: Rota, actor: Actor, *, task: str | None, states: Sequence[State] | None, before: str | None, limit: int
) -> list[Run]:
    """Up to `limit` runs, newest first, before the id `before`; of one task (id or name), in some states.

    Raises NotFound for a task that the actor may not see.
    """

    def read(c: Connection) -> list[Run]:
        task_id = access.get_usable_task(c, actor, task).id if task is not None else None
        owner_id = None if actor.is_root else actor.id
        return runs.list_runs(
            c, task_id=task_id, states=states, owner_id=owner_id, everyone=actor.is_root, before=before, limit=limit
        )

    return await rota.database.read(read)


async def get_run(rota: Rota, actor: Actor, run_id: str) -> Run:
    """Raises NotFound."""
    return (await rota.database.read(lambda c: access.get_run(c, actor, run_id)))[0]


async def list_attempts(rota: Rota, actor: Actor, run_id: str) -> list[Attempt]:
    """The attempts of a run that ended while the run went on, in order. Raises NotFound."""

    def read(c: Connection) -> list[Attempt]:
        access.get_run(c, actor, run_id)
        return runs.list_attempts(c, run_id)

    return await rota.database.read(read)


async def cancel_run(
    rota: Rota, actor: Actor, run_id: str, *, wait_s: float = 0.0, cause: Literal["cancel", "stop"] = "cancel"
) -> Receipt:
    """Ask a run to end, and wait up to `wait_s` seconds for that. A run that had ended before it was asked answers
    `finished_first`; asking again answers the receipt as it stands.

    Raises NotFound.
    """
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Receipt, Task, list[Run]]:
        run, task = access.get_run(c, actor, run_id)
        asked = runs.request_stop(c, run.id, cause, now)
        ended = [asked] if asked is not None and asked.ended_at is not None else []
        ends.publish(c, rota, task, ended, now)
        first = Receipt(run_id=run.id, requested_at=now, ended_at=run.ended_at, result="finished_first")
        return runs.find_receipt(c, run.id) or first, task, ended

    receipt, task, ended = await rota.database.write(write)
    ends.tell(rota, task, ended)
    rota.bus.wake("dispatcher")
    if receipt.ended_at is None and wait_s > 0:
        await wait_answer(rota, actor, run_id, wait_s)
        return await rota.database.read(lambda c: runs.find_receipt(c, run_id)) or receipt
    return receipt


async def wait_admission(rota: Rota, run_id: str) -> None:
    """Until the dispatcher has judged a new run: it is refused, waits in its queue, or starts. At most ADMISSION_S."""
    with suppress(TimeoutError):
        async with asyncio.timeout(ADMISSION_S):
            while True:
                passed = rota.bus.next_pass("dispatcher")
                if await rota.database.read(lambda c: runs.is_judged(c, run_id)):
                    return
                await passed.wait()


async def wait_run(rota: Rota, actor: Actor, run_id: str, timeout_s: float) -> Run:
    """The run once it has ended, or as it stands after `timeout_s` seconds. Raises NotFound."""
    with rota.bus.watch() as watcher:
        run = await get_run(rota, actor, run_id)
        try:
            async with asyncio.timeout(timeout_s):
                while run.state not in ENDED:
                    await _next_sign(watcher, run_id)
                    run = await get_run(rota, actor, run_id)
        except TimeoutError:
            return await get_run(rota, actor, run_id)
    return run


async def wait_answer(rota: Rota, actor: Actor, run_id: str, timeout_s: float) -> Run:
    """As wait_run, for somebody who asked from outside: over at once when that one's rights change. Raises NotFound."""
    changed = asyncio.Event()
    with rota.bus.rights.followed(actor.id, changed.set):
        waits = [asyncio.ensure_future(work) for work in (wait_run(rota, actor, run_id, timeout_s), changed.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            ended, _ = await asyncio.gather(*waits, return_exceptions=True)
    if isinstance(ended, Run):
        return ended
    return await get_run(rota, actor, run_id)


async def _next_sign(watcher: Watcher, run_id: str) -> None:
    """Until a notice tells of the run's end, or long enough to look for oneself."""
    try:
        async with asyncio.timeout(LOOK_AGAIN_S):
            async for notice in watcher:
                run = notice.data.get("run")
                if isinstance(run, Run) and run.id == run_id and run.state in ENDED:
                    return
    except TimeoutError:
        return

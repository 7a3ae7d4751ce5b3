"""The queues of one worker share its places."""

import asyncio
from types import SimpleNamespace
from typing import Any

from rota.worker.slots import Slots


def about(queue: str = "", permit: Any = None) -> Any:
    """What the SDK says of a question, as far as it is looked at."""
    return SimpleNamespace(task_queue=queue, permit=permit)


async def take(slots: Slots, queue: str) -> Any:
    permit = await asyncio.wait_for(slots.reserve_slot(about(queue)), 1)
    slots.mark_slot_used(about(permit=permit))
    return permit


def test_a_worker_that_is_full_asks_for_nothing_until_something_ends() -> None:
    async def ask() -> None:
        slots = Slots(1, lambda: 0)
        taken = await take(slots, "gpu")
        waiting = asyncio.create_task(slots.reserve_slot(about("eu")))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert slots.try_reserve_slot(about("gpu")) is None
        slots.release_slot(about(permit=taken))
        assert await asyncio.wait_for(waiting, 1)

    asyncio.run(ask())


def test_each_queue_may_be_asked_while_there_is_room_and_a_question_that_came_to_nothing_takes_none() -> None:
    async def ask() -> None:
        slots = Slots(1, lambda: 0)
        asked = [await slots.reserve_slot(about(queue)) for queue in ("gpu", "eu")]
        assert slots.try_reserve_slot(about("gpu")) is None
        for permit in asked:
            slots.release_slot(about(permit=permit))
        assert slots.try_reserve_slot(about("gpu")) is not None

    asyncio.run(ask())


def test_what_only_waits_for_another_run_takes_no_place() -> None:
    async def ask() -> None:
        idle = 0
        slots = Slots(1, lambda: idle)
        await take(slots, "")
        waiting = asyncio.create_task(slots.reserve_slot(about("")))
        await asyncio.sleep(0)
        idle = 1
        slots.look_again()
        assert await asyncio.wait_for(waiting, 1)

    asyncio.run(ask())

"""A time limit counts, and rests."""

import asyncio

from rota.executors.timelimit import TimeLimit


def test_it_is_over_once_its_time_is_and_what_rests_does_not_count() -> None:
    async def live() -> None:
        over = asyncio.Event()
        limit = TimeLimit(0.05, over.set)
        with limit:
            with limit.paused():
                await asyncio.sleep(0.1)
            assert not over.is_set()
            await asyncio.wait_for(over.wait(), 5)

    asyncio.run(live())


def test_nothing_is_asked_of_what_has_ended_in_time() -> None:
    async def live() -> None:
        over = asyncio.Event()
        limit = TimeLimit(0.02, over.set)
        with limit, limit.paused():
            pass
        await asyncio.sleep(0.05)
        assert not over.is_set()

    asyncio.run(live())


def test_without_a_limit_there_is_nothing_to_count() -> None:
    async def live() -> None:
        limit = TimeLimit(None, lambda: 1 / 0)
        with limit, limit.paused():
            await asyncio.sleep(0)

    asyncio.run(live())

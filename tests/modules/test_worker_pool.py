"""The workers of modules: when they come, when they go, and what happens when they are killed."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.module_workbench import Workshop, at_work

pytestmark = pytest.mark.e2e

TEXT = """
@rota.module
def who(ctx, wait: float = 0.0):
    ctx.sleep(wait)
    return os.getpid()
"""


async def pids(shop: Workshop, *waits: float) -> list[int]:
    results = await asyncio.gather(*(shop.run("who", params={"wait": wait}) for wait in waits))
    return [result.outcome.output for result in results]


def in_pool(folder: Path, work: Any, **rules: Any) -> Any:
    return at_work(folder, TEXT, work, **rules)


async def until(condition: Any) -> None:
    """Processes come and go by themselves."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


def test_nobody_is_there_before_the_first_run_and_one_is_enough_for_one_at_a_time(tmp_path: Path) -> None:
    async def work(shop: Workshop) -> None:
        shop.pool.keep_warm()
        assert shop.pool.size == 0
        first, second = await pids(shop, 0), await pids(shop, 0)
        assert first == second
        assert shop.pool.size == 1

    in_pool(tmp_path, work)


def test_runs_at_one_time_have_workers_of_their_own_up_to_the_limit(tmp_path: Path) -> None:
    async def work(shop: Workshop) -> None:
        found = await pids(shop, 0.2, 0.2, 0.0, 0.0)
        assert len(set(found)) == 2
        assert shop.pool.size == 2

    in_pool(tmp_path, work, workers=2)


def test_a_worker_makes_room_after_so_many_runs(tmp_path: Path) -> None:
    async def work(shop: Workshop) -> None:
        found = [(await pids(shop, 0))[0] for _ in range(4)]
        assert found[0] == found[1] != found[2] == found[3]

    in_pool(tmp_path, work, recycle_after=2)


def test_who_has_no_work_goes_but_for_those_kept_warm(tmp_path: Path) -> None:
    async def work(shop: Workshop) -> None:
        await pids(shop, 0.1, 0.1, 0.1)
        await until(lambda: shop.pool.size == 1)
        await asyncio.sleep(0.05)
        assert shop.pool.size == 1

    in_pool(tmp_path, work, warm=1, idle_s=0.01)


def test_warm_ones_are_there_before_the_first_run(tmp_path: Path) -> None:
    async def work(shop: Workshop) -> None:
        shop.pool.keep_warm()
        await until(lambda: shop.pool.size == 2 and shop.pool.find_idle("user"))

    in_pool(tmp_path, work, warm=2)


@pytest.mark.parametrize("while_idle", [True, False])
def test_all_workers_may_be_killed_and_others_come(tmp_path: Path, while_idle: bool) -> None:
    async def work(shop: Workshop) -> None:
        if while_idle:
            found = await pids(shop, 0.1, 0.1)
        else:
            running = asyncio.gather(*(shop.run("who", params={"wait": 30.0}) for _ in range(2)))
            await asyncio.sleep(0.3)
            found = [worker.pid for worker in shop.pool.workers]
        for pid in found:
            os.killpg(pid, signal.SIGKILL)
        if not while_idle:
            results = await running
            assert {result.outcome.error for result in results} == {"its process was ended by SIGKILL"}
        await until(lambda: shop.pool.size == 0)
        assert not set(await pids(shop, 0.0)) & set(found)

    in_pool(tmp_path, work)


def test_changed_modules_are_loaded_anew_after_a_reload(tmp_path: Path) -> None:
    async def work(shop: Workshop) -> None:
        assert (await pids(shop, 0))[0] > 0
        file = tmp_path / "own.py"
        file.write_text(file.read_text().replace("os.getpid()", "-1"))
        await shop.catalogue.reread()
        shop.pool.renew()
        assert await pids(shop, 0) == [-1]

    in_pool(tmp_path, work, is_changed=True)

"""How runs of modules are stopped, and that nothing of them is left."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from tests.module_workbench import Result, Workshop, at_work

from rota.core.outcome import StopCause
from rota.core.policy import LogLimit, Stop
from rota.process.table import find_process, find_variable, list_processes

pytestmark = pytest.mark.e2e

COOPERATES = """
@rota.module
def sleeps(ctx):
    ctx.info("asleep")
    ctx.sleep(60)

@rota.module
def looks(ctx):
    ctx.info("looking")
    while not ctx.cancelled:
        time.sleep(0.01)
    ctx.info("noticed")
    return "half of it"

@rota.module
def holds(ctx, begun: str):
    open(begun, "w").close()
    ctx.sleep(60)

@rota.module
async def waits(ctx):
    import asyncio
    ctx.info("waiting")
    try:
        await asyncio.sleep(60)
    finally:
        ctx.info("cleaned up")
"""
STUBBORN = """
@rota.module
def stubborn(ctx):
    ctx.info("begun")
    while True:
        time.sleep(1)

@rota.module
def parent(ctx):
    import subprocess
    subprocess.Popen(["sleep", "60"])
    ctx.info("begun")
    time.sleep(60)

@rota.module
def leaves(threads: bool = False):
    import subprocess, threading
    if threads:
        threading.Thread(target=time.sleep, args=(60,)).start()
    else:
        subprocess.Popen(["sleep", "60"], start_new_session=True)
"""
LONG = Stop(grace_s=10)


def is_alive(pid: int) -> bool:
    entry = find_process(pid)
    return entry is not None and not entry.is_dead


def marked(run_id: str) -> list[int]:
    return [entry.pid for entry in list_processes() if find_variable(entry.pid, "ROTA_RUN_ID") == run_id]


@pytest.mark.parametrize(
    ("cause", "state", "reason"),
    [
        ("cancel", "canceled", None),
        ("timeout", "timed_out", None),
        ("stop", "stopped", None),
        ("shutdown", "stopped", "shutdown"),
    ],
)
@pytest.mark.parametrize("module", ["sleeps", "looks", "waits"])
def test_one_that_looks_stops_when_it_is_asked_and_its_worker_goes_on(
    tmp_path: Path, module: str, cause: StopCause, state: str, reason: str | None
) -> None:
    async def work(shop: Workshop) -> tuple[Result, Result]:
        wish = {"stop_at": 1, "cause": cause, "policy": {"stop": LONG}}
        return await shop.run(module, **wish), await shop.run(module, **wish)

    first, second = at_work(tmp_path, COOPERATES, work)
    assert (first.outcome.state, first.outcome.reason, first.deliveries) == (state, reason, 1)
    assert first.pid == second.pid
    assert first.outcome.output == ("half of it" if module == "looks" else None)
    assert first.texts("stderr") == []


@pytest.mark.parametrize("module", ["holds", "waits"])
def test_the_next_try_of_a_run_that_was_stopped_is_not_stopped_by_that(tmp_path: Path, module: str) -> None:
    text = COOPERATES.replace("60", "0.3").replace('open(begun, "w").close()', 'ctx.info("begun")')
    params = {"begun": ""} if module == "holds" else {}

    async def work(shop: Workshop) -> tuple[Result, Result]:
        first = await shop.run(module, params=params, stop_at=1, cause="timeout", policy={"stop": LONG})
        return first, await shop.run(module, again=first, task=first.task)

    first, second = at_work(tmp_path, text, work)
    assert (first.outcome.state, first.pid) == ("timed_out", second.pid)
    assert (second.outcome.state, second.outcome.error) == ("succeeded", None)


def test_one_that_does_not_look_is_killed_after_the_grace_and_the_next_run_has_another_worker(tmp_path: Path) -> None:
    async def work(shop: Workshop) -> tuple[Result, Result]:
        return await shop.run("stubborn", stop_at=1), await shop.run("stubborn", stop_at=1)

    start = time.monotonic()
    first, second = at_work(tmp_path, STUBBORN, work)
    assert first.outcome.state == second.outcome.state == "canceled"
    assert first.pid != second.pid
    assert time.monotonic() - start < 8
    assert not is_alive(first.pid)
    assert any("it did not stop within 0.2 s" in text for text in first.texts("system"))


def test_no_process_of_a_stopped_run_is_left(tmp_path: Path) -> None:
    result = at_work(tmp_path, STUBBORN, lambda shop: shop.run("parent", stop_at=1))
    assert result.outcome.state == "canceled"
    assert marked(result.run.id) == []


@pytest.mark.parametrize("threads", [False, True])
def test_what_a_run_leaves_behind_ends_with_it(tmp_path: Path, threads: bool) -> None:
    async def work(shop: Workshop) -> tuple[Result, Result]:
        return await shop.run("leaves", params={"threads": threads}), await shop.run("leaves")

    first, second = at_work(tmp_path, STUBBORN, work)
    assert first.outcome.state == "succeeded"
    assert first.pid != second.pid
    assert not is_alive(first.pid)
    assert marked(first.run.id) == []


def test_a_run_that_waits_for_a_worker_is_stopped_without_one(tmp_path: Path) -> None:
    async def work(shop: Workshop) -> tuple[Result, Result]:
        begun = tmp_path / "begun"
        busy = asyncio.ensure_future(shop.run("holds", params={"begun": str(begun)}))
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if begun.exists():
                break
        waiting = await shop.run("looks", stop_at=1)
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
        return waiting, await shop.run("looks", stop_at=1)

    waiting, after = at_work(tmp_path, COOPERATES, work, workers=1)
    assert (waiting.outcome.state, waiting.pid) == ("canceled", 0)
    assert after.outcome.state == "canceled"
    assert after.pid != 0


def test_one_that_fills_its_log_is_stopped(tmp_path: Path) -> None:
    text = "@rota.module\ndef floods(ctx):\n    while True:\n        print('x' * 1000)\n"
    result = at_work(
        tmp_path, text, lambda shop: shop.run("floods", policy={"log": LogLimit(max_size=10_000, on_full="kill_task")})
    )
    assert (result.outcome.state, result.outcome.reason) == ("failed", "log_overflow")


def test_no_worker_outlives_its_server(tmp_path: Path) -> None:
    text = "@rota.module\ndef who():\n    return os.getpid()\n"
    pid = at_work(tmp_path, text, lambda shop: shop.run("who")).outcome.output
    deadline = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < deadline:
        os.sched_yield()
    assert not is_alive(pid)


def test_what_a_run_waits_for_a_worker_does_not_count_against_its_time(tmp_path: Path) -> None:
    async def work(shop: Workshop) -> tuple[Result, Result]:
        first = asyncio.create_task(shop.run("sleeps"))
        await asyncio.sleep(0)
        return await shop.run("quick", policy={"timeout_s": 0.3}), await first

    text = COOPERATES.replace("60", "0.5") + '\n@rota.module\ndef quick():\n    return "done"\n'
    second, _first = at_work(tmp_path, text, work, workers=1)
    assert (second.outcome.state, second.outcome.output) == ("succeeded", "done")

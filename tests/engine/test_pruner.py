"""Old runs go; live ones never."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.engine.machine import Work
from tests.engine.world import World
from tests.store.storing import add_ended, add_user

from rota.core.policy import LogLimit, Policy
from rota.core.run import Run
from rota.core.schedule import CronSchedule
from rota.core.task import Task
from rota.engine.pruner import Pruner
from rota.logs import LogName, RunLogs
from rota.store import deletion, runs, tasks


@pytest.fixture
def logs(tmp_path: Path) -> RunLogs:
    return RunLogs(tmp_path / "pruned-logs")


def ended(world: World, task: Task, count: int) -> list[Run]:
    """Runs that came one after the other, and are over."""
    asked = []
    for _ in range(count):
        asked.append(world.add_run(task))
        world.go(60)
    return asked


def write_log(logs: RunLogs, task: Task, run: Run, size: int) -> None:
    writer = logs.writer(LogName(task.name, run.created_at, run.id), LogLimit())
    writer.write("stdout", b"x" * (size - 1) + b"\n", 0)
    writer.finalize(0)


def prune(world: World, logs: RunLogs, max_log_bytes: int = 0) -> dict[str, int]:
    return asyncio.run(Pruner(world.engine, logs, max_log_bytes).tick()).counts


def is_kept(world: World, run: Run) -> bool:
    return world.write(lambda c: runs.find_run(c, run.id)) is not None


def test_without_a_rule_everything_is_kept(world: World, logs: RunLogs) -> None:
    asked = ended(world, world.add(), 3)
    world.go(1e8)
    assert prune(world, logs) == {"purged": 0, "by_rule": 0, "by_size": 0}
    assert all(is_kept(world, run) for run in asked)


def test_the_newest_runs_are_kept(world: World, logs: RunLogs) -> None:
    asked = ended(world, world.add(policy=Policy(keep_runs=2)), 5)
    assert prune(world, logs)["by_rule"] == 3
    assert [is_kept(world, run) for run in asked] == [False, False, False, True, True]


def test_runs_are_kept_for_a_time(world: World, logs: RunLogs) -> None:
    asked = ended(world, world.add(policy=Policy(keep_for_s=150)), 4)
    prune(world, logs)
    assert [is_kept(world, run) for run in asked] == [False, False, True, True]


@pytest.mark.parametrize(("keep_runs", "keep_for_s", "kept"), [(1, 1000.0, 1), (100, 150.0, 2)])
def test_of_two_rules_the_stricter_wins(world: World, logs: RunLogs, keep_runs: int, keep_for_s: float, kept: int) -> None:
    asked = ended(world, world.add(policy=Policy(keep_runs=keep_runs, keep_for_s=keep_for_s)), 4)
    prune(world, logs)
    assert sum(is_kept(world, run) for run in asked) == kept


def test_a_live_run_is_never_pruned(world: World, logs: RunLogs) -> None:
    task = world.add(policy=Policy(keep_runs=1, keep_for_s=10))
    world.work["backup"] = Work(duration_s=1e6)
    running, waiting = world.add_run(task), world.add_run(task)
    world.go(1000)
    prune(world, logs, max_log_bytes=1)
    assert is_kept(world, running)
    assert is_kept(world, waiting)


def test_the_log_goes_with_the_run(world: World, logs: RunLogs) -> None:
    task = world.add(policy=Policy(keep_runs=1))
    asked = ended(world, task, 2)
    for run in asked:
        write_log(logs, task, world.run(run), 1000)
    prune(world, logs)
    assert set(logs.sizes()) == {asked[1].id}


def test_the_oldest_go_until_all_logs_fit(world: World, logs: RunLogs) -> None:
    task = world.add()
    asked = ended(world, task, 40)
    for run in asked:
        write_log(logs, task, world.run(run), 10_000)
    prune(world, logs, max_log_bytes=250_000)
    assert logs.total_bytes() <= 250_000
    kept = [is_kept(world, run) for run in asked]
    assert kept == sorted(kept)
    assert any(kept)


def test_the_folder_of_logs_is_looked_through_once_however_many_runs_go(world: World, tmp_path: Path) -> None:
    class Watched(RunLogs):
        looks = 0

        def sizes(self) -> dict[str, int]:
            self.looks += 1
            return super().sizes()

    logs, task = Watched(tmp_path / "watched-logs"), world.add()
    for run in ended(world, task, 60):
        write_log(logs, task, world.run(run), 1000)
    prune(world, logs, max_log_bytes=1)
    assert logs.looks == 1
    assert logs.total_bytes() == 0


def test_a_slot_keeps_what_its_pruned_run_came_to(world: World, logs: RunLogs) -> None:
    task = world.add(schedule=CronSchedule("*/10 * * * *"), policy=Policy(keep_runs=1))
    world.work["backup"] = Work(duration_s=1, exit_code=1)
    world.go(3605)
    prune(world, logs)
    assert len(world.runs(task)) == 1
    assert world.outcomes(task) == ["failed"] * 6


def test_pruning_comes_again_in_an_hour(world: World, logs: RunLogs) -> None:
    tick = world.ask(Pruner(world.engine, logs).tick())
    assert tick.next_at is not None
    assert (tick.next_at - world.clock.now()).total_seconds() == 3600


def test_whose_run_it_was_is_told_that_it_is_gone(world: World, logs: RunLogs) -> None:
    ann, bob = (world.write(partial(add_user, name=name)) for name in ("ann", "bob"))
    task = world.add(owner_id=ann, policy=Policy(keep_runs=1))
    old, _ = (world.write(lambda c: add_ended(c, task, owner_id=bob)) for _ in range(2))

    async def watched() -> dict[str, Any]:
        with world.engine.bus.watch() as watcher:
            await Pruner(world.engine, logs).tick()
            return (await anext(aiter(watcher))).data

    assert asyncio.run(watched()) == {"run_id": old.id, "owner_id": bob, "task_id": task.id}


def test_a_run_that_was_deleted_while_it_ran_goes_soon_after_its_end(world: World, logs: RunLogs) -> None:
    task = world.add()
    world.work["backup"] = Work(duration_s=100)
    run = world.add_run(task)
    world.go(1)
    pruner = Pruner(world.engine, logs)
    world.write(lambda c: deletion.hide_run(c, run.id, world.clock.now()))
    world.ask(pruner.tick())
    assert world.engine.has_doomed
    signal = world.engine.bus.signal("pruner")
    signal.clear()
    world.go(110)
    assert signal.is_set()
    world.ask(pruner.tick())
    assert not is_kept(world, run)
    assert not world.engine.has_doomed


def test_a_task_that_was_removed_is_forgotten_in_the_end(world: World, logs: RunLogs) -> None:
    task = world.add()
    world.write(lambda c: tasks.update_status(c, task.id, "removed", from_=["active"], now=world.clock.now()))
    prune(world, logs)
    assert world.write(lambda c: tasks.find_task(c, task.id)) is not None
    world.go(31 * 86_400)
    prune(world, logs)
    assert world.write(lambda c: tasks.find_task(c, task.id)) is None


def test_what_a_removed_task_keeps_goes_by_its_rules_too(world: World, logs: RunLogs) -> None:
    task = world.add(policy=Policy(keep_runs=1))
    asked = ended(world, task, 3)
    world.write(lambda c: tasks.update_status(c, task.id, "removed", from_=["active"], now=world.clock.now()))
    prune(world, logs)
    assert [is_kept(world, run) for run in asked] == [False, False, True]

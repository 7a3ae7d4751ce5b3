"""Deleted runs: hidden at once, back within seven seconds, gone after."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.databases import open_memory
from tests.engine.world import World

from rota.core.run import Run
from rota.core.task import Task
from rota.engine.pruner import Pruner
from rota.logs import LogName, RunLogs
from rota.store import deletion, runs


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(open_memory()) as database:
        made = World(tmp_path, database)
        yield made
        made.shut()


@pytest.fixture
def logs(tmp_path: Path) -> RunLogs:
    return RunLogs(tmp_path / "logs")


def ended(world: World, task: Task, logs: RunLogs) -> Run:
    run = world.add_run(task)
    world.go(100)
    log = logs.writer(LogName(task.name, run.created_at, run.id), task.spec.policy.log)
    log.system("a line", 0)
    log.close(0)
    return world.run(run)


def hide(world: World, *ids: str) -> list[str]:
    return [each for each, _ in world.write(lambda c: deletion.hide(c, ids, world.clock.now()))]


def shown(world: World, task: Task) -> list[str]:
    return [run.id for run in world.runs(task)]


def test_a_deleted_run_is_hidden_at_once_and_gone_with_its_log_after_seven_seconds(world: World, logs: RunLogs) -> None:
    task = world.add()
    kept, run = ended(world, task, logs), ended(world, task, logs)
    assert hide(world, run.id) == [run.id]
    assert shown(world, task) == [kept.id]
    pruner = Pruner(world.engine, logs)
    first = world.ask(pruner.tick())
    assert first.counts["purged"] == 0
    assert first.next_at is not None
    assert (first.next_at - world.clock.now()).total_seconds() == 7
    world.go(7)
    assert world.ask(pruner.tick()).counts["purged"] == 1
    assert world.write(lambda c: runs.find_run(c, run.id)) is None
    assert set(logs.sizes()) == {kept.id}


def test_a_deletion_is_undone_within_its_time_alone(world: World, logs: RunLogs) -> None:
    task = world.add()
    early, late = ended(world, task, logs), ended(world, task, logs)
    hide(world, early.id)
    world.go(4)
    hide(world, late.id)
    world.go(4)
    since = world.clock.now() - deletion.UNDO
    back = world.write(lambda c: deletion.bring_back(c, [early.id, late.id], since))
    assert [each for each, _ in back] == [late.id]
    assert shown(world, task) == [late.id]


def test_a_start_of_the_server_purges_at_once(world: World, logs: RunLogs) -> None:
    task = world.add()
    run = ended(world, task, logs)
    hide(world, run.id)
    world.ask(Pruner(world.engine, logs).boot())
    assert world.write(lambda c: runs.find_run(c, run.id)) is None


def test_a_live_run_is_not_deleted(world: World) -> None:
    task = world.add()
    run = world.add_run(task)
    world.go()
    assert hide(world, run.id) == []
    assert shown(world, task) == [run.id]

"""Line 14 of RunWisp's checklist: what retention takes, and what it never does."""

from pathlib import Path

from tests.engine.machine import Work
from tests.engine.world import World

from rota.core.actor import OPERATOR
from rota.core.policy import LogLimit, Policy
from rota.core.run import Run
from rota.core.task import Task
from rota.engine.pruner import Pruner
from rota.logs import LogName, RunLogs
from rota.ops import deletion
from rota.ops.occurrences import Selection
from rota.store import runs


def prune(world: World, logs: RunLogs) -> None:
    world.ask(Pruner(world.engine, logs).tick())


def with_log(world: World, logs: RunLogs, task: Task) -> Run:
    run = world.add_run(task)
    world.go(60)
    writer = logs.writer(LogName(task.name, run.created_at, run.id), LogLimit())
    writer.write("stdout", b"hello\n", 0)
    writer.finalize(0)
    return run


def files(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "pruned").rglob("*"))


def kept(world: World, asked: list[Run]) -> list[bool]:
    return [world.write(lambda c, run=run: runs.find_run(c, run.id)) is not None for run in asked]  # type: ignore[misc]


def test_line_14_retention_never_touches_live_runs(world: World, tmp_path: Path) -> None:
    world.work["backup"] = Work(duration_s=1e9)
    task = world.add(policy=Policy(keep_runs=1, keep_for_s=1))
    live = [world.add_run(task) for _ in range(3)]
    world.go(1e6)
    prune(world, RunLogs(tmp_path / "pruned"))
    assert [world.run(run).state for run in live] == ["running", "pending", "pending"]


def test_line_14_count_and_age_together_and_the_stricter_wins(world: World, tmp_path: Path) -> None:
    logs = RunLogs(tmp_path / "pruned")
    by_count = world.add("by-count", policy=Policy(keep_runs=1, keep_for_s=1e6))
    by_age = world.add("by-age", policy=Policy(keep_runs=100, keep_for_s=150))
    counted = [with_log(world, logs, by_count) for _ in range(3)]
    aged = [with_log(world, logs, by_age) for _ in range(4)]
    prune(world, logs)
    assert kept(world, counted) == [False, False, True]
    assert kept(world, aged) == [False, False, True, True]


def test_line_14_files_and_rows_vanish_together(world: World, tmp_path: Path) -> None:
    logs = RunLogs(tmp_path / "pruned")
    task = world.add(policy=Policy(keep_runs=1))
    asked = [with_log(world, logs, task) for _ in range(3)]
    before = files(tmp_path)
    prune(world, logs)
    assert kept(world, asked) == [False, False, True]
    assert files(tmp_path) == before / 3


def test_line_14_what_is_deleted_can_be_restored_for_seven_seconds(world: World, tmp_path: Path) -> None:
    logs = RunLogs(tmp_path / "pruned")
    task = world.add()
    first, second = with_log(world, logs, task), with_log(world, logs, task)
    for run in (first, second):
        world.ask(deletion.delete_occurrence(world.rota, OPERATOR, run.id))
    assert world.runs(task) == []
    world.go(6)
    prune(world, logs)
    assert world.ask(deletion.restore_selected(world.rota, OPERATOR, Selection(ids=(first.id,)))) == 1
    world.go(2)
    prune(world, logs)
    assert world.ask(deletion.restore_selected(world.rota, OPERATOR, Selection(ids=(second.id,)))) == 0
    assert kept(world, [first, second]) == [True, False]

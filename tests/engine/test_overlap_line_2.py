"""Line 2 of RunWisp's checklist: what happens at the edge of each overlap policy."""

from tests.engine.machine import Work
from tests.engine.world import World

from rota.core.actor import OPERATOR
from rota.core.policy import Overlap, Policy, Retry
from rota.core.run import Run
from rota.core.task import Task
from rota.ops import starts

LONG = Work(duration_s=1000)


def add(world: World, overlap: Overlap, **policy: int) -> Task:
    world.work["backup"] = LONG
    return world.add(policy=Policy(overlap=overlap, retry=Retry(attempts=3, delay_s=1), **policy))  # type: ignore[arg-type]


def ask_for(world: World, task: Task) -> Run:
    run = world.ask(starts.start_task(world.rota, OPERATOR, task.id, {})).run
    world.go(0.1)
    return run


def test_line_2_skip_ends_the_second_run_and_leaves_the_first_alone(world: World) -> None:
    task = add(world, "skip")
    first = ask_for(world, task)
    with world.engine.bus.watch() as watcher:
        second = ask_for(world, task)
        kinds = []
        while "run.skipped" not in kinds:
            kinds.append(world.ask(watcher.next()).kind)
    skipped = world.run(second)
    assert (skipped.state, skipped.reason, skipped.exit_code, skipped.started_at) == ("skipped", "overlap", None, None)
    assert skipped.ended_at is not None
    assert world.run(first).state == "running"
    assert kinds.index("run.skipped") > kinds.index("run.created")


def test_line_2_the_queue_is_first_in_first_out_and_has_an_end(world: World) -> None:
    task = add(world, "queue", queue_max=2)
    asked = [ask_for(world, task) for _ in range(4)]
    assert [world.run(run).state for run in asked] == ["running", "pending", "pending", "queue_full"]
    world.go(3000)
    first, second, third = (world.run(run) for run in asked[:3])
    assert first.started_at and second.started_at and third.started_at
    assert first.started_at < second.started_at < third.started_at
    assert {first.state, second.state, third.state} == {"succeeded"}


def test_line_2_terminate_stops_the_oldest_waits_for_its_end_and_retries_nothing(world: World) -> None:
    task = add(world, "terminate")
    most = 0

    def count(_process: object) -> None:
        nonlocal most
        most = max(most, len(world.machine.processes) + 1)

    world.machine.on_start = count
    victim, replaced, newest = (ask_for(world, task) for _ in range(3))
    world.go(100)
    assert [world.run(run).state for run in (victim, replaced, newest)] == ["stopped", "skipped", "running"]
    assert world.machine.starts[victim.id] == 1
    ended_at, started_at = world.run(victim).ended_at, world.run(newest).started_at
    assert ended_at and started_at and ended_at <= started_at
    assert most == 1

"""What follows failures: retries, and restarts of tasks."""

from datetime import timedelta
from itertools import pairwise

from tests.engine.machine import Work
from tests.engine.world import World

from rota.core.actor import OPERATOR
from rota.core.policy import Policy, Restart, Retry
from rota.core.run import Run
from rota.core.task import Task
from rota.ops import runs as run_ops
from rota.ops import starts
from rota.store import runs

FAILING = Work(duration_s=1, exit_code=3)
AGAIN = Policy(restart=Restart(), retry=Retry(attempts=9, delay_s=500))


def waits(world: World, task: Task) -> list[float]:
    """Seconds between the end of each attempt and the start of the next, of a task's only run."""
    [run] = world.runs(task)
    earlier = world.write(lambda c: runs.list_attempts(c, run.id))
    assert run.started_at
    starts_at = [each.started_at for each in earlier] + ([run.started_at] if run.attempt > len(earlier) else [])
    ends_at = [each.ended_at for each in earlier]
    return [(start - end) / timedelta(seconds=1) for end, start in zip(ends_at, starts_at[1:], strict=False)]


def begin(world: World, task: Task, **params: str) -> Run:
    return world.ask(starts.start_task(world.rota, OPERATOR, task.id, dict(params))).run


def test_line_3_retries_come_after_10_20_40_80_160_300_seconds_with_the_same_params(world: World) -> None:
    policy = Policy(retry=Retry(attempts=7, delay_s=10, backoff="exponential"))
    task = world.add(policy=policy)
    world.work["backup"] = FAILING
    begin(world, task, target="main")
    seen: list[dict[str, str]] = []
    world.machine.on_start = lambda process: seen.append(process.claim.run.params)
    world.go(2000)
    assert waits(world, task) == [10, 20, 40, 80, 160, 300, 300]
    assert seen == [{"target": "main"}] * 8
    [run] = world.runs(task)
    assert run.state == "failed"
    attempts = world.write(lambda c: runs.list_attempts(c, run.id))
    assert [each.number for each in attempts] == list(range(1, 8))
    assert all(one.ended_at <= other.created_at for one, other in pairwise(attempts))


def test_line_3_a_stop_ends_the_chain(world: World) -> None:
    task = world.add(policy=Policy(retry=Retry(attempts=7, delay_s=10)))
    world.work["backup"] = FAILING
    run = begin(world, task)
    world.go(5)
    world.ask(run_ops.cancel_run(world.rota, OPERATOR, run.id))
    world.go(1000)
    assert (world.states(task), world.machine.starts[run.id]) == (["canceled"], 1)


def test_a_task_that_restarts_on_failure_does_so_after_a_second_and_gives_up_like_a_service(world: World) -> None:
    task = world.add(policy=AGAIN)
    world.work["backup"] = FAILING
    begin(world, task)
    world.go(100)
    assert waits(world, task) == [1, 1, 1]
    [run] = world.runs(task)
    assert (run.state, run.reason, run.exit_code, run.attempt) == ("failed", "start_failed", 3, 4)


def test_its_wait_grows_where_that_is_asked_for(world: World) -> None:
    task = world.add(policy=Policy(restart=Restart(backoff="exponential", start_retries=8)))
    world.work["backup"] = FAILING
    begin(world, task)
    world.go(400)
    assert waits(world, task) == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_long_healthy_attempt_begins_both_counts_anew(world: World) -> None:
    task = world.add(policy=Policy(restart=Restart(backoff="exponential", start_retries=2)))
    lengths = iter([1, 1, 60, 1, 1, 1])
    world.plan_work = lambda _claim: Work(duration_s=next(lengths), exit_code=3)
    begin(world, task)
    world.go(200)
    assert waits(world, task) == [1, 2, 1, 2, 4]
    assert world.runs(task)[0].reason == "start_failed"


def test_it_ends_when_it_succeeds(world: World) -> None:
    task = world.add(policy=AGAIN)
    codes = iter([3, 3, 0])
    world.plan_work = lambda _claim: Work(duration_s=1, exit_code=next(codes))
    begin(world, task)
    world.go(100)
    assert [(run.state, run.attempt, run.reason) for run in world.runs(task)] == [("succeeded", 3, None)]


def test_what_a_stop_ended_is_not_started_again(world: World) -> None:
    task = world.add(policy=AGAIN)
    run = begin(world, task)
    world.go(1)
    world.ask(run_ops.cancel_run(world.rota, OPERATOR, run.id))
    world.go(100)
    assert (world.states(task), world.machine.starts[run.id]) == (["canceled"], 1)

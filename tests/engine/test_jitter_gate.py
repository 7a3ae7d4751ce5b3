"""Jittered tasks start one at a time, each within its window."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.engine.machine import Work
from tests.engine.world import World

from rota.core.actor import OPERATOR
from rota.core.policy import Policy, Retry
from rota.core.schedule import CronSchedule
from rota.core.task import Task
from rota.ops import starts

THREE = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
LONG = Work(duration_s=3 * 3600)
HALF_HOUR = Policy(jitter_s=1800)
NIGHTLY = CronSchedule("0 3 * * *")


def three(world: World, work: Work, policy: Policy = HALF_HOUR) -> list[Task]:
    world.plan_work = lambda _claim: work
    return [world.add(f"task-{number}", schedule=NIGHTLY, policy=policy) for number in range(3)]


def starts_at(world: World, tasks: list[Task]) -> list[float | None]:
    """Minutes behind the tick."""
    firsts = [world.runs(task)[0].started_at if world.runs(task) else None for task in tasks]
    return [None if moment is None else (moment - THREE) / timedelta(minutes=1) for moment in firsts]


def test_line_9_a_lone_task_starts_at_its_tick(world: World) -> None:
    task = world.add(schedule=NIGHTLY, policy=HALF_HOUR)
    world.go_until(THREE + timedelta(minutes=1))
    [run] = world.runs(task)
    assert (run.started_at, run.nominal_at) == (THREE, THREE)


def test_line_9_contended_starts_go_one_at_a_time_as_the_gate_empties(world: World) -> None:
    tasks = three(world, Work(duration_s=60))
    world.go_until(THREE + timedelta(hours=1))
    assert starts_at(world, tasks) == [0, 1, 2]
    assert [world.runs(task)[0].nominal_at for task in tasks] == [THREE] * 3


def test_line_9_none_starts_later_than_its_slot_however_long_the_others_take(world: World) -> None:
    tasks = three(world, LONG)
    world.go_until(THREE + timedelta(hours=1))
    assert starts_at(world, tasks) == [0, 15, 30]


def test_a_held_run_is_pending_and_says_when_it_starts_at_the_latest(world: World) -> None:
    tasks = three(world, LONG)
    world.go_until(THREE + timedelta(minutes=5))
    held = world.runs(tasks[1])[0]
    assert (held.state, held.due_at, held.nominal_at) == ("pending", THREE + timedelta(minutes=15), THREE)
    assert world.outcomes(tasks[1]) == ["pending"]


def test_a_manual_start_never_waits_and_holds_up_nobody(world: World) -> None:
    policy = Policy(jitter_s=1800, max_concurrent=2)
    tasks = three(world, LONG, policy)
    world.go_until(THREE - timedelta(minutes=1))
    world.ask(starts.start_task(world.rota, OPERATOR, tasks[2].id, {}))
    world.go(0)
    assert world.states(tasks[2]) == ["running"]
    world.go_until(THREE)
    assert starts_at(world, tasks[:1]) == [0]


def test_a_retry_is_past_the_gate(world: World) -> None:
    policy = Policy(jitter_s=1800, retry=Retry(attempts=1, delay_s=60))
    world.plan_work = lambda _claim: Work(duration_s=60, exit_code=1)
    first = world.add("a", schedule=NIGHTLY, policy=policy)
    second = world.add("b", schedule=NIGHTLY, policy=policy)
    world.go_until(THREE + timedelta(minutes=10))
    [run] = world.runs(first)
    assert (run.state, run.started_at) == ("failed", THREE + timedelta(minutes=2))
    assert starts_at(world, [second]) == [3]  # its retry, a minute after the first attempt, which had ended at 2


@pytest.mark.parametrize(("catch_up", "states"), [("latest", ["missed", "running"]), ("skip", ["missed"])])
def test_held_fires_dropped_at_shutdown_become_missed(world: World, catch_up: str, states: list[str]) -> None:
    tasks = three(world, LONG, Policy(jitter_s=1800, catch_up=catch_up))  # type: ignore[arg-type]
    world.go_until(THREE + timedelta(minutes=5))
    world.restart(after_s=60)
    world.go(10)
    [missed] = [run for run in world.runs(tasks[1]) if run.state == "missed"]
    assert sorted(world.states(tasks[1])) == states
    assert missed.output["missed"] == 1
    assert [slot.nominal_at for slot in world.slots(tasks[1])] == [THREE]
    assert world.states(tasks[0])[0] == "crashed"
    world.restart(after_s=60)
    world.go(10)
    assert sum(state == "missed" for state in world.states(tasks[1])) == 1


def test_a_window_ends_a_second_before_the_next_tick(world: World) -> None:
    world.plan_work = lambda _claim: LONG
    policy = Policy(jitter_s=86_400, max_concurrent=100)
    tasks = [world.add(name, schedule=CronSchedule("* * * * *"), policy=policy) for name in ("a", "b")]
    world.go(60 + 59)
    late = [run.started_at - run.nominal_at for task in tasks for run in world.runs(task) if run.started_at and run.nominal_at]
    assert sorted(late) == [timedelta(0), timedelta(seconds=59)]


def test_places_go_by_name_whatever_was_made_first(world: World) -> None:
    world.plan_work = lambda _claim: LONG
    later, earlier = (world.add(name, schedule=NIGHTLY, policy=HALF_HOUR) for name in ("z", "a"))
    world.go_until(THREE + timedelta(hours=1))
    assert starts_at(world, [earlier, later]) == [0, 30]

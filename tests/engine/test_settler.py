"""What attempts come to: ends, retries, restarts, and what their ends cause."""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from tests.engine.machine import Work
from tests.engine.world import World
from tests.factories import at

from rota.core.actor import OPERATOR, Actor
from rota.core.errors import Unavailable
from rota.core.outcome import Outcome
from rota.core.policy import Policy, Retry
from rota.core.run import Receipt, Run
from rota.core.schedule import EventSchedule
from rota.core.service import ServicePolicy
from rota.core.task import Task
from rota.engine.settler import Settler
from rota.ops import events, steering
from rota.ops import runs as run_ops
from rota.ops.context import Rota
from rota.runners.base import Finished
from rota.store import instances, runs
from rota.store.database import Connection

Steer = Callable[[Rota, Actor, str], Coroutine[Any, Any, Task]]

FAILING = Work(duration_s=1, exit_code=1)


def start(world: World, task: Task) -> Run:
    run = world.add_run(task)
    world.go(0)
    return run


def starts(world: World, run: Run) -> list[float]:
    """When each attempt of a run was started, in seconds after noon."""
    attempts = world.write(lambda c: runs.list_attempts(c, run.id))
    last = world.run(run).started_at
    moments = [attempt.started_at for attempt in attempts] + ([last] if last else [])
    return sorted({(moment - at(0)).total_seconds() for moment in moments})


@pytest.mark.parametrize(("exit_code", "state"), [(0, "succeeded"), (3, "failed")])
def test_an_exit_code_is_judged(world: World, exit_code: int, state: str) -> None:
    task = world.add()
    world.work["backup"] = Work(duration_s=10, exit_code=exit_code)
    run = start(world, task)
    world.go(10)
    ended = world.run(run)
    assert (ended.state, ended.exit_code, ended.ended_at, ended.holder) == (state, exit_code, at(10), None)


def test_failed_attempts_are_repeated_after_growing_waits(world: World) -> None:
    task = world.add(policy=Policy(retry=Retry(attempts=6, backoff="exponential", delay_s=10)))
    world.work["backup"] = FAILING
    run = start(world, task)
    world.go(2000)
    moments = starts(world, run)
    waits = [later - earlier - 1 for earlier, later in pairwise(moments)]
    assert waits == [10, 20, 40, 80, 160, 300]
    assert (world.run(run).state, world.run(run).attempt) == ("failed", 7)


def test_a_run_that_waits_for_its_retry_is_pending(world: World) -> None:
    task = world.add(policy=Policy(retry=Retry(attempts=1, delay_s=10)))
    world.work["backup"] = FAILING
    run = start(world, task)
    world.go(5)
    waiting = world.run(run)
    assert (waiting.state, waiting.due_at, waiting.attempt, waiting.exit_code) == ("pending", at(11), 1, 1)


@pytest.mark.parametrize("steer", [steering.pause_task, steering.cancel_task])
def test_a_task_that_was_paused_or_canceled_meanwhile_tries_nothing_again(world: World, steer: Steer) -> None:
    task = world.add(policy=Policy(retry=Retry(attempts=6)))
    world.work["backup"] = FAILING
    run = start(world, task)
    world.ask(steer(world.rota, OPERATOR, task.id))
    world.go(100)
    assert (world.run(run).state, world.run(run).attempt) == ("failed", 1)


def test_a_retry_that_succeeds_is_the_end(world: World) -> None:
    task = world.add(policy=Policy(retry=Retry(attempts=3, delay_s=10)))
    world.work["backup"] = FAILING
    run = start(world, task)
    world.go(5)
    world.work["backup"] = Work(duration_s=1)
    world.go(100)
    assert (world.run(run).state, world.run(run).attempt) == ("succeeded", 2)


def test_a_retry_waits_as_long_when_the_clock_was_far_ahead_meanwhile(world: World) -> None:
    task = world.add(policy=Policy(retry=Retry(attempts=1, delay_s=60)))
    world.work["backup"] = FAILING
    world.clock.step(timedelta(days=3650).total_seconds())
    run = start(world, task)
    world.go(5)
    world.clock.step(-timedelta(days=3650).total_seconds())
    world.go(57)
    assert world.run(run).attempt == 2


def test_a_stopped_run_is_not_tried_again(world: World) -> None:
    task = world.add(policy=Policy(retry=Retry(attempts=3)))
    run = start(world, task)
    world.ask(run_ops.cancel_run(world.rota, OPERATOR, run.id))
    world.go(100)
    assert (world.run(run).state, world.run(run).attempt) == ("canceled", 1)


def test_a_stop_that_came_too_late_for_the_attempt_still_prevents_the_next(world: World) -> None:
    task = world.add(policy=Policy(retry=Retry(attempts=3)))
    listener = world.add("listener", schedule=EventSchedule("run.canceled.backup"))
    world.work["backup"] = FAILING
    run = start(world, task)
    world.clock.advance(1)
    world.runner.poll()
    world.ask(run_ops.cancel_run(world.rota, OPERATOR, run.id))
    world.go(100)
    assert (world.run(run).state, world.run(run).exit_code, world.run(run).attempt) == ("canceled", 1, 1)
    assert len(world.runs(listener)) == 1


def test_a_result_with_a_stale_fence_changes_nothing(world: World) -> None:
    run = start(world, world.add())
    late = Finished(run_id=run.id, fence=0, outcome=Outcome(state="failed", exit_code=9), ended_at=world.clock.now())
    world.ask(world.settler.settle([late]))
    assert (world.run(run).state, world.run(run).exit_code) == ("running", None)


def test_a_result_is_settled_once_however_often_it_is_told(world: World) -> None:
    task = world.add()
    listener = world.add("listener", schedule=EventSchedule("run.succeeded.backup"))
    run = start(world, task)
    world.go(60)
    first = world.run(run)
    again = Finished(run_id=run.id, fence=1, outcome=Outcome(state="failed", exit_code=9), ended_at=at(99))
    world.ask(world.settler.settle([again]))
    assert world.run(run) == first
    assert len(world.runs(listener)) == 1


def test_a_result_is_kept_while_the_store_is_unavailable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task = world.add()
    run = start(world, task)
    world.clock.advance(60)
    world.runner.poll()
    with monkeypatch.context() as patch:
        patch.setattr(Settler, "_settle", _refuse)
        for _ in range(3):
            with pytest.raises(Unavailable):
                world.tick(world.settler)
    assert (world.run(run).state, world.runner.acknowledged) == ("running", [])
    world.clock.advance(30)
    world.tick(world.settler)
    assert (world.run(run).state, world.run(run).ended_at) == ("succeeded", at(60))
    assert world.runner.acknowledged == [(run.id, 1)]


def test_a_result_that_cannot_be_written_holds_no_other_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task = world.add(policy=Policy(max_concurrent=3))
    poisoned, *others = [start(world, task) for _ in range(3)]
    world.clock.advance(60)
    world.runner.poll()
    settle = Settler._settle

    def fail_for_one(settler: Settler, c: Connection, batch: Sequence[Finished], *rest: Any) -> Any:
        if poisoned.id in [finished.run_id for finished in batch]:
            raise KeyError(poisoned.id)
        return settle(settler, c, batch, *rest)

    monkeypatch.setattr(Settler, "_settle", fail_for_one)
    for _ in range(4):
        with suppress(KeyError):
            world.tick(world.settler)
    assert [world.run(run).state for run in (poisoned, *others)] == ["running", "succeeded", "succeeded"]
    monkeypatch.undo()
    world.tick(world.settler)
    assert world.run(poisoned).state == "succeeded"


def _refuse(*_: object) -> None:
    raise Unavailable("the disk is full")


def test_results_are_settled_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.engine.settler.BATCH", 4)
    task = world.add(policy=Policy(max_concurrent=10))
    for _ in range(10):
        world.add_run(task)
    world.go(60)
    assert world.states(task) == ["succeeded"] * 10


def test_a_receipt_tells_how_a_cancel_went(world: World) -> None:
    task = world.add()
    world.work["backup"] = Work(duration_s=100, stop_s=5)
    run = start(world, task)
    world.go(10)
    asked = world.ask(run_ops.cancel_run(world.rota, OPERATOR, run.id))
    assert asked == Receipt(run_id=run.id, requested_at=at(10))
    world.go(1)
    assert world.write(lambda c: runs.find_receipt(c, run.id)) == Receipt(run_id=run.id, requested_at=at(10), delivered_at=at(10))
    world.go(10)
    assert world.write(lambda c: runs.find_receipt(c, run.id)) == Receipt(
        run_id=run.id, requested_at=at(10), delivered_at=at(10), ended_at=at(15), result="canceled"
    )


def test_a_receipt_tells_that_the_run_finished_first(world: World) -> None:
    task = world.add()
    run = start(world, task)
    world.clock.advance(60)
    world.runner.poll()
    world.ask(run_ops.cancel_run(world.rota, OPERATOR, run.id))
    world.go(1)
    receipt = world.write(lambda c: runs.find_receipt(c, run.id))
    assert receipt is not None
    assert (receipt.result, world.run(run).state) == ("finished_first", "succeeded")


def test_a_services_restarts_wait_longer_and_longer_and_the_fourth_quick_failure_is_the_last(world: World) -> None:
    task = world.add("web", service=ServicePolicy())
    world.work["web"] = FAILING
    world.go(3600)
    assert [run.started_at for run in world.runs(task)] == [at(0), at(2), at(5), at(10)]
    assert [(run.state, run.reason) for run in world.runs(task)] == [("failed", None)] * 3 + [("failed", "start_failed")]
    instance = world.write(lambda c: instances.find_instance(c, task.id, 0))
    assert instance is not None
    assert instance.fatal


def test_a_healthy_run_forgives_a_service_its_failures(world: World) -> None:
    task = world.add("web", service=ServicePolicy())
    works = iter([FAILING, FAILING, Work(duration_s=100, exit_code=1), FAILING, FAILING, Work(duration_s=1e6)])
    world.plan_work = lambda _claim: next(works)
    world.go(3600)
    assert [run.started_at for run in world.runs(task)] == [at(0), at(2), at(5), at(106), at(109), at(114)]


def test_a_restart_of_the_server_lets_a_service_try_again(world: World) -> None:
    task = world.add("web", service=ServicePolicy())
    world.work["web"] = FAILING
    world.go(3600)
    world.work["web"] = Work(duration_s=1e6)
    world.restart(10)
    world.go(1)
    assert world.states(task)[-1] == "running"


def test_the_end_of_a_run_starts_what_waits_for_it(world: World) -> None:
    first = world.add("first")
    second = world.add("second", schedule=EventSchedule("run.succeeded.first"))
    third = world.add("third", schedule=EventSchedule("run.succeeded.second"))
    cause = start(world, first)
    world.go(200)
    effect = world.runs(second)[0]
    assert (effect.cause_run_id, effect.depth, effect.state) == (cause.id, 1, "succeeded")
    assert effect.params["event"]["payload"]["task"] == "first"
    assert [(run.cause_run_id, run.depth) for run in world.runs(third)] == [(effect.id, 2)]


def test_the_failure_of_a_run_is_another_event_than_its_success(world: World) -> None:
    task = world.add()
    alarm = world.add("alarm", schedule=EventSchedule("run.failed"))
    world.work["backup"] = FAILING
    start(world, task)
    world.go(10)
    assert len(world.runs(alarm)) == 1


def test_a_failed_attempt_that_is_retried_is_no_failed_run(world: World) -> None:
    task = world.add(policy=Policy(retry=Retry(attempts=1, delay_s=10)))
    alarm = world.add("alarm", schedule=EventSchedule("run.failed"))
    world.work["backup"] = FAILING
    start(world, task)
    world.go(5)
    assert world.runs(alarm) == []
    world.go(100)
    assert len(world.runs(alarm)) == 1


def test_tasks_that_cause_each_other_are_stopped_at_the_first_repeat(world: World) -> None:
    first = world.add("first", schedule=EventSchedule("run.succeeded.second"))
    second = world.add("second", schedule=EventSchedule("run.succeeded.first"))
    start(world, first)
    world.go(1000)
    assert [(run.state, run.reason) for run in world.runs(first)] == [("succeeded", None), ("skipped", "event_loop")]
    assert world.states(second) == ["succeeded"]


def test_a_chain_of_events_ends_at_its_depth(world: World) -> None:
    chain = [world.add("task-0")]
    chain += [world.add(f"task-{n}", schedule=EventSchedule(f"run.succeeded.task-{n - 1}")) for n in range(1, 20)]
    start(world, chain[0])
    world.go(2000)
    assert [world.states(task) for task in chain[:17]] == [["succeeded"]] * 17
    assert [(run.state, run.reason) for run in world.runs(chain[17])] == [("skipped", "event_depth")]
    assert world.runs(chain[18]) == []


def test_an_event_of_an_actor_starts_every_task_on_its_topic_once(world: World) -> None:
    listeners = [world.add(name, schedule=EventSchedule("build.done")) for name in ("left", "right")]
    world.ask(events.publish_event(world.rota, OPERATOR, "build.done", {}))
    world.go(100)
    assert [world.states(task) for task in listeners] == [["succeeded"], ["succeeded"]]

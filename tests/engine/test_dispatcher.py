"""Who may start, who waits, who is refused: overlap, keys, dedupe, priority, capacity."""

from datetime import timedelta

import pytest
from tests.engine.machine import Work
from tests.engine.world import World
from tests.factories import NOON, at

from rota.core.actor import OPERATOR
from rota.core.errors import Unavailable
from rota.core.policy import Policy, Retry
from rota.core.run import Run
from rota.core.schedule import EventSchedule
from rota.core.service import ServicePolicy
from rota.core.task import Task
from rota.engine.dispatcher import Dispatcher
from rota.ops import runs as run_ops
from rota.ops import steering
from rota.store import runs
from rota.store.database import Database


def ask(world: World, task: Task, count: int = 1) -> list[Run]:
    """Runs that are asked for one after the other."""
    asked = []
    for _ in range(count):
        asked.append(world.add_run(task))
        world.go(0)
    return asked


def cancel(world: World, run: Run) -> None:
    world.ask(run_ops.cancel_run(world.rota, OPERATOR, run.id))
    world.go(0)


def test_a_run_starts_when_its_task_has_a_place(world: World) -> None:
    run = ask(world, world.add())[0]
    started = world.run(run)
    assert (started.state, started.attempt, started.fence, started.started_at) == ("running", 1, 1, NOON)
    assert started.holder == world.engine.node


def test_a_run_that_is_due_later_waits_for_its_moment(world: World) -> None:
    run = world.add_run(world.add(), due_in_s=30)
    world.go(29)
    assert world.run(run).state == "pending"
    world.go(1)
    assert world.run(run).started_at == at(30)


def test_queued_runs_start_one_after_the_other_in_the_order_they_came(world: World) -> None:
    task = world.add()
    asked = ask(world, task, 4)
    assert world.states(task) == ["running", "pending", "pending", "pending"]
    world.go(300)
    assert [world.run(run).started_at for run in asked] == [at(0), at(60), at(120), at(180)]


def test_a_full_queue_refuses(world: World) -> None:
    task = world.add(policy=Policy(queue_max=2))
    ask(world, task, 4)
    assert world.states(task) == ["running", "pending", "pending", "queue_full"]
    assert world.runs(task)[-1].reason == "overlap"


def test_skip_refuses_what_comes_while_another_runs(world: World) -> None:
    task = world.add(policy=Policy(overlap="skip"))
    ask(world, task, 2)
    world.go(60)
    ask(world, task)
    assert [(run.state, run.reason) for run in world.runs(task)] == [
        ("succeeded", None),
        ("skipped", "overlap"),
        ("running", None),
    ]


def test_terminate_stops_the_running_one_and_then_starts_the_new_one(world: World) -> None:
    task = world.add(policy=Policy(overlap="terminate"))
    first, second = ask(world, task, 2)
    assert world.states(task) == ["running", "pending"]
    world.go(1)
    assert (world.run(first).state, world.run(first).reason) == ("stopped", "replaced")
    assert (world.run(second).state, world.run(second).started_at) == ("running", at(1))


def test_of_several_replacements_only_the_newest_waits(world: World) -> None:
    task = world.add(policy=Policy(overlap="terminate"))
    ask(world, task, 4)
    assert [(run.state, run.reason) for run in world.runs(task)] == [
        ("running", None),
        ("skipped", "replaced"),
        ("skipped", "replaced"),
        ("pending", None),
    ]


def test_of_runs_that_come_together_the_newest_stays(world: World) -> None:
    task = world.add(policy=Policy(overlap="terminate"))
    for _ in range(4):
        world.add_run(task)
    world.go(0)
    assert [(run.state, run.reason) for run in world.runs(task)] == [
        ("stopped", "replaced"),
        ("skipped", "replaced"),
        ("skipped", "replaced"),
        ("running", None),
    ]
    assert world.machine.starts.total() == 1


def test_a_replacement_stops_one_of_several(world: World) -> None:
    task = world.add(policy=Policy(overlap="terminate", max_concurrent=2))
    ask(world, task, 3)
    world.go(5)
    assert world.states(task) == ["stopped", "running", "running"]


def test_a_replaced_run_that_had_not_started_makes_room_at_once(world: World) -> None:
    world.runner.capacity = 1
    ask(world, world.add("other"))
    task = world.add(policy=Policy(overlap="terminate"))
    ask(world, task, 2)
    assert [(run.state, run.reason) for run in world.runs(task)] == [("stopped", "replaced"), ("pending", None)]
    world.go(60)
    assert world.states(task)[-1] == "running"


def test_places_are_filled_up_to_the_limit(world: World) -> None:
    task = world.add(policy=Policy(max_concurrent=3))
    for _ in range(5):
        world.add_run(task)
    world.go(0)
    assert world.states(task) == ["running"] * 3 + ["pending"] * 2


def test_places_that_become_free_together_are_filled_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.engine.dispatcher.BATCH", 2)
    task = world.add(policy=Policy(max_concurrent=5))
    for _ in range(10):
        world.add_run(task)
    world.go(60)
    assert world.states(task) == ["succeeded"] * 5 + ["running"] * 5


def test_the_more_urgent_start_first(world: World) -> None:
    world.runner.capacity = 1
    tasks = {priority: world.add(f"task-{priority}", policy=Policy(priority=priority)) for priority in (9, 5, 1)}
    for task in tasks.values():
        world.add_run(task)
    world.go(200)
    assert [world.runs(tasks[priority])[0].started_at for priority in (1, 5, 9)] == [at(0), at(60), at(120)]


def test_the_same_priority_starts_in_order_of_due_time(world: World) -> None:
    world.runner.capacity = 1
    late, early = world.add("late"), world.add("early")
    world.add_run(late, due_in_s=20)
    world.add_run(early, due_in_s=10)
    ask(world, world.add("busy"))
    world.go(200)
    assert [world.runs(task)[0].started_at for task in (early, late)] == [at(60), at(120)]


def test_no_more_run_than_there_is_capacity(world: World) -> None:
    world.runner.capacity = 3
    for number in range(5):
        world.add_run(world.add(f"task-{number}"))
    world.go(0)
    assert len(world.machine.processes) == 3
    world.go(60)
    assert len(world.machine.processes) == 2


def test_a_new_run_never_overtakes_the_queue(world: World) -> None:
    task = world.add(policy=Policy(concurrency_key="door"))
    other = world.add("other", policy=Policy(concurrency_key="door"))
    ask(world, other)
    first, second = ask(world, task, 2)
    world.go(90)
    third = ask(world, task)[0]
    world.go(300)
    starts = [world.run(run).started_at for run in (first, second, third)]
    assert starts == [at(60), at(120), at(180)]


def test_tasks_with_one_concurrency_key_run_one_at_a_time(world: World) -> None:
    left, right = (world.add(name, policy=Policy(concurrency_key="door", max_concurrent=5)) for name in ("left", "right"))
    for task in (left, right, left, right):
        world.add_run(task)
    world.go(0)
    assert (world.states(left), world.states(right)) == (["running", "pending"], ["pending", "pending"])
    world.go(60)
    assert (world.states(left), world.states(right)) == (["succeeded", "pending"], ["running", "pending"])
    world.go(180)
    assert (world.states(left), world.states(right)) == (["succeeded"] * 2, ["succeeded"] * 2)


def test_another_key_is_no_hindrance(world: World) -> None:
    tasks = [world.add(key, policy=Policy(concurrency_key=key)) for key in ("door", "window")]
    for task in tasks:
        world.add_run(task)
    world.go(0)
    assert [world.states(task) for task in tasks] == [["running"], ["running"]]


def test_a_key_of_skipping_tasks_lets_them_wait(world: World) -> None:
    tasks = [world.add(name, policy=Policy(concurrency_key="door", overlap="skip")) for name in ("left", "right")]
    for task in tasks:
        world.add_run(task)
    world.go(60)
    assert [world.states(task) for task in tasks] == [["succeeded"], ["running"]]


@pytest.mark.parametrize(("window_s", "second"), [(0, "running"), (100, "skipped"), (60, "running")])
def test_a_repeat_within_the_window_is_refused(world: World, window_s: float, second: str) -> None:
    task = world.add(policy=Policy(dedupe_key="one", dedupe_window_s=window_s))
    ask(world, task)
    world.go(60)
    ask(world, task)
    assert world.states(task) == ["succeeded", second]


@pytest.mark.parametrize("window_s", [0, 5])
def test_a_repeat_of_a_live_run_is_refused(world: World, window_s: float) -> None:
    task = world.add(policy=Policy(dedupe_key="one", dedupe_window_s=window_s, max_concurrent=5))
    ask(world, task)
    world.go(30)
    ask(world, task)
    assert [(run.state, run.reason) for run in world.runs(task)] == [("running", None), ("skipped", "dedupe")]


def test_of_repeats_that_come_together_one_is_let_through(world: World) -> None:
    tasks = [world.add(name, policy=Policy(dedupe_key="one")) for name in ("left", "right")]
    for task in (*tasks, *tasks):
        world.add_run(task)
    world.go(0)
    assert sorted(world.states(tasks[0]) + world.states(tasks[1])) == ["running", "skipped", "skipped", "skipped"]


def test_a_refused_repeat_is_no_reason_to_refuse_the_next(world: World) -> None:
    task = world.add(policy=Policy(dedupe_key="one", dedupe_window_s=100))
    for _ in range(4):
        ask(world, task)
        world.go(50)
    assert world.states(task) == ["succeeded", "skipped", "succeeded", "skipped"]


def test_a_run_that_waits_for_its_retry_is_repeated_all_the_same(world: World) -> None:
    task = world.add(policy=Policy(dedupe_key="one", retry=Retry(attempts=1, delay_s=30), max_concurrent=5))
    world.work["backup"] = Work(duration_s=10, exit_code=1)
    ask(world, task)
    world.go(39)
    world.add_run(task, due_in_s=1)
    world.go(2)
    assert world.states(task) == ["running", "skipped"]


def test_a_clock_that_was_set_back_makes_nothing_a_repeat(world: World) -> None:
    task = world.add(policy=Policy(dedupe_key="one"))
    ask(world, task)
    world.go(60)
    world.clock.step(-86_400)
    ask(world, task)
    assert world.states(task) == ["succeeded", "running"]


def test_a_retry_that_is_refused_keeps_what_its_attempt_came_to(world: World) -> None:
    task = world.add(policy=Policy(overlap="skip", retry=Retry(attempts=2, delay_s=10)))
    world.work["backup"] = Work(duration_s=5, exit_code=7)
    first = ask(world, task)[0]
    world.go(6)
    world.work["backup"] = Work(duration_s=500)
    ask(world, task)
    world.go(20)
    refused = world.run(first)
    assert (refused.state, refused.reason, refused.exit_code, refused.attempt) == ("failed", "retry_refused", 7, 1)


def test_a_retry_waits_in_the_queue_like_anything_else(world: World) -> None:
    task = world.add(policy=Policy(retry=Retry(attempts=1, delay_s=10)))
    world.work["backup"] = Work(duration_s=5, exit_code=7)
    first, second = ask(world, task, 2)
    world.work["backup"] = Work(duration_s=60)
    world.go(200)
    assert world.run(second).started_at == at(5)
    assert (world.run(first).started_at, world.run(first).attempt) == (at(65), 2)


def test_held_runs_start_after_a_restart(world: World) -> None:
    task = world.add()
    ask(world, task, 3)
    world.restart(10)
    world.go(0)
    assert world.states(task) == ["crashed", "running", "pending"]
    world.go(120)
    assert world.states(task) == ["crashed", "succeeded", "succeeded"]


def test_a_place_that_a_canceled_run_leaves_is_taken(world: World) -> None:
    world.runner.capacity = 1
    ask(world, world.add("other"))
    task = world.add()
    ready, held = ask(world, task, 2)
    cancel(world, ready)
    world.go(60)
    assert (world.run(ready).state, world.run(held).state) == ("canceled", "running")


def test_a_stop_reaches_the_work(world: World) -> None:
    task = world.add()
    run = ask(world, task)[0]
    cancel(world, run)
    assert world.run(run).state == "running"
    world.go(1)
    ended = world.run(run)
    assert (ended.state, ended.ended_at) == ("canceled", at(1))


def test_the_stop_of_a_waiting_run_needs_no_work_to_reach(world: World) -> None:
    task = world.add()
    _, waiting = ask(world, task, 2)
    cancel(world, waiting)
    assert world.run(waiting).state == "canceled"
    assert world.machine.starts[waiting.id] == 0


def test_service_instances_start_beside_each_other(world: World) -> None:
    task = world.add("web", service=ServicePolicy(instances=3))
    world.work["web"] = Work(duration_s=1e9)
    world.go(0)
    assert sorted((run.instance, run.state) for run in world.runs(task)) == [(0, "running"), (1, "running"), (2, "running")]


def test_a_run_that_only_waits_for_another_takes_no_capacity(world: World) -> None:
    world.runner.capacity = 1
    parent, child = world.add("parent"), world.add("child")
    ask(world, parent)
    ask(world, child)
    assert world.states(child) == ["pending"]
    world.runner.waiting = 1
    world.engine.bus.wake("dispatcher")
    world.go(0)
    assert world.states(child) == ["running"]


def test_services_leave_the_capacity_to_tasks(world: World) -> None:
    world.runner.capacity = 2
    world.add("web", service=ServicePolicy(instances=4))
    world.work["web"] = Work(duration_s=1e9)
    world.go(0)
    task = world.add()
    ask(world, task)
    assert world.states(task) == ["running"]
    assert len(world.machine.processes) == 5


def test_what_waits_of_a_paused_task_is_dropped_and_what_runs_goes_on(world: World) -> None:
    task = world.add()
    ask(world, task, 3)
    world.ask(steering.pause_task(world.rota, OPERATOR, task.name))
    world.go(60)
    assert [(run.state, run.reason) for run in world.runs(task)] == [
        ("succeeded", None),
        ("skipped", "task_paused"),
        ("skipped", "task_paused"),
    ]


def test_a_refusal_is_an_event(world: World) -> None:
    task = world.add(policy=Policy(overlap="skip"))
    alarm = world.add("alarm", schedule=EventSchedule("run.skipped.backup"))
    ask(world, task, 2)
    assert world.states(alarm) == ["running"]


def test_a_pass_that_cannot_be_written_starts_nothing_and_forgets_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task = world.add()
    ask(world, task, 2)
    world.go(59)
    with monkeypatch.context() as patch:
        patch.setattr(Dispatcher, "_dispatch", _refuse)
        world.clock.advance(1)
        world.runner.poll()
        world.tick(world.settler)
        with pytest.raises(Unavailable):
            world.tick(world.dispatcher)
    assert world.states(task) == ["succeeded", "pending"]
    world.engine.bus.wake("dispatcher")
    world.go(0)
    assert world.states(task) == ["succeeded", "running"]


def _refuse(*_: object) -> None:
    raise Unavailable("the disk is full")


def test_a_claim_whose_commit_was_not_acknowledged_is_given_back_and_taken_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = world.add()
    run = world.add_run(task)
    written = Database.write

    async def write_and_lose(self: Database, fn: object) -> None:
        await written(self, fn)  # type: ignore[arg-type]
        raise Unavailable("the connection was lost before the commit was acknowledged")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", write_and_lose)
        with pytest.raises(Unavailable):
            world.tick(world.dispatcher)
    assert (world.run(run).state, world.machine.starts[run.id]) == ("running", 0)
    world.engine.bus.wake("dispatcher")
    world.go(0)
    assert (world.run(run).fence, world.run(run).attempt, world.machine.starts[run.id]) == (2, 1, 1)


def test_a_removed_tasks_runs_are_not_started(world: World) -> None:
    task = world.add()
    first, second = ask(world, task, 2)
    world.write(lambda c: [runs.request_stop(c, run.id, "removed", world.clock.now()) for run in (first, second)])
    world.engine.bus.wake("dispatcher")
    world.go(5)
    assert [(run.state, run.reason) for run in world.runs(task)] == [("stopped", "task_removed")] * 2


def test_a_longer_wait_than_a_second_between_looks_changes_nothing(world: World) -> None:
    task = world.add()
    ask(world, task, 2)
    world.go(timedelta(days=1).total_seconds())
    assert world.states(task) == ["succeeded"] * 2

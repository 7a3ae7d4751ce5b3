"""What a new server makes of what it finds: missed slots, waiting runs, tasks that are gone."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.engine.machine import Work
from tests.engine.world import World
from tests.factories import at, spec

from rota.core.actor import OPERATOR
from rota.core.policy import CatchUp, Overlap, Policy, Retry
from rota.core.run import Run
from rota.core.schedule import CronSchedule
from rota.core.service import ServicePolicy
from rota.core.task import Task
from rota.ops import runs as run_ops
from rota.ops import starts
from rota.ops.installation import apply_file_tasks
from rota.store import admission
from rota.store import runs as run_store
from rota.store.documents import to_text

HOURLY = CronSchedule("0 * * * *")
HOUR = 3600.0
LONG = Work(duration_s=1e6)


def ask_for(world: World, task: Task, count: int) -> list[Run]:
    return [world.ask(starts.start_task(world.rota, OPERATOR, task.id, {})).run for _ in range(count)]


def states(world: World, runs: list[Run]) -> list[str]:
    return [world.run(run).state for run in runs]


@pytest.mark.parametrize(("catch_up", "cap", "made_up"), [("skip", 100, 0), ("latest", 100, 1), ("all", 100, 5), ("all", 3, 3)])
def test_line_7_five_missed_ticks_are_one_missed_row_and_then_as_many_runs_as_the_policy_says(
    world: World, catch_up: CatchUp, cap: int, made_up: int
) -> None:
    task = world.add(schedule=HOURLY, policy=Policy(catch_up=catch_up, max_catch_up=cap))
    world.go(HOUR + 100)
    world.restart(after_s=5 * HOUR)
    world.go(1000)
    rows = world.runs(task)[1:]
    [missed] = [run for run in rows if run.state == "missed"]
    assert (missed.output["missed"], missed.output["is_cut"]) == (5, False)
    assert datetime.fromisoformat(missed.output["last_at"]) == at(6 * HOUR)
    caught_up = [run for run in rows if run.trigger == "catch_up"]
    assert len(caught_up) == made_up
    assert [run.nominal_at for run in caught_up] == [at(number * HOUR) for number in range(2, 7)][5 - made_up :]
    world.restart(after_s=1)
    world.go(1)
    assert len(world.runs(task)) == 2 + made_up


def test_line_7_a_new_task_owes_nothing(world: World) -> None:
    world.go(10 * HOUR + 1)
    world.ask(apply_file_tasks(world.rota, [spec(name="new", schedule=HOURLY)]))
    world.go(1)
    world.restart(after_s=10)
    world.go(1)
    assert world.ask(run_ops.list_runs(world.rota, OPERATOR, task="new", states=None, before=None, limit=10)) == []


def test_a_reload_makes_up_nothing(world: World) -> None:
    world.ask(apply_file_tasks(world.rota, [spec(name="new", schedule=CronSchedule("0 0 1 1 *"))]))
    world.go(5 * HOUR + 1)
    world.ask(apply_file_tasks(world.rota, [spec(name="new", schedule=HOURLY, run_on_start=True)]))
    world.go(1)
    assert world.ask(run_ops.list_runs(world.rota, OPERATOR, task="new", states=None, before=None, limit=10)) == []


def test_a_cap_above_the_usual_look_is_kept(world: World) -> None:
    policy = Policy(catch_up="all", max_catch_up=3000, queue_max=10_000)
    task = world.add(schedule=CronSchedule("* * * * *"), policy=policy)
    world.go(1)
    world.restart(after_s=2500 * 60)
    world.tick(world.scheduler)
    assert sum(run.trigger == "catch_up" for run in world.runs(task)) == 2500


def test_counting_stops_where_nobody_wants_the_number(world: World) -> None:
    task = world.add(schedule=CronSchedule("* * * * *"))
    world.go(1)
    world.restart(after_s=30 * 86_400)
    world.go(1)
    [missed] = [run for run in world.runs(task) if run.state == "missed"]
    assert missed.output["is_cut"]
    assert missed.output["missed"] > 1000


def test_line_6_a_server_that_died_leaves_its_run_crashed_and_its_queue_in_order(world: World) -> None:
    world.work["backup"] = LONG
    task = world.add()
    runs = ask_for(world, task, 4)
    world.go(10)
    world.restart(after_s=5)
    world.work["backup"] = Work(duration_s=10)
    world.go(1)
    assert states(world, runs) == ["crashed", "running", "pending", "pending"]
    world.go(100)
    assert states(world, runs) == ["crashed", "succeeded", "succeeded", "succeeded"]
    starts_at = [world.run(run).started_at for run in runs[1:]]
    assert starts_at == sorted(moment for moment in starts_at if moment)
    assert set(world.machine.starts.values()) == {1}


@pytest.mark.parametrize(("overlap", "end"), [("skip", "failed"), ("terminate", "failed"), ("queue", "queue_full")])
def test_what_waits_and_finds_no_place_at_the_start_has_an_end(world: World, overlap: Overlap, end: str) -> None:
    task = world.add(policy=Policy(overlap=overlap, max_concurrent=2, queue_max=0))
    runs = ask_for(world, task, 3)
    world.write(lambda c: admission.set_held(c, [run.id for run in runs]))
    world.restart(after_s=1)
    world.go(1)
    assert states(world, runs) == ["running", "running", end]


def test_an_instance_that_waited_has_failed_and_a_fresh_one_starts(world: World) -> None:
    world.work["web"] = LONG
    task = world.add("web", service=ServicePolicy())
    world.tick(world.supervisor)
    world.restart(after_s=1)
    world.go(1)
    assert [(run.state, run.reason) for run in world.runs(task)] == [("failed", "node_died"), ("running", None)]


def test_a_run_that_is_due_later_is_no_leftover(world: World) -> None:
    task = world.add(policy=Policy(overlap="skip"))
    runs = [world.add_run(task, due_in_s=500), world.add_run(task, due_in_s=800)]
    world.restart(after_s=1)
    world.go(1)
    assert states(world, runs) == ["pending", "pending"]


def test_what_waits_for_a_task_that_is_gone_is_skipped_and_what_runs_finishes_without_a_retry(world: World) -> None:
    world.work["backup"] = Work(duration_s=60, exit_code=4)
    world.ask(apply_file_tasks(world.rota, [spec(name="backup", policy=Policy(retry=Retry(attempts=3)))]))
    runs = [world.ask(starts.start_task(world.rota, OPERATOR, "backup", {})).run for _ in range(2)]
    world.go(1)
    world.ask(apply_file_tasks(world.rota, []))
    world.go(10)
    assert states(world, runs) == ["running", "skipped"]
    world.go(60)
    assert [(world.run(run).state, world.run(run).reason) for run in runs] == [("failed", None), ("skipped", "task_removed")]


def test_the_instances_of_a_service_that_is_gone_are_stopped(world: World) -> None:
    world.work["web"] = LONG
    world.ask(apply_file_tasks(world.rota, [spec(name="web", service=ServicePolicy())]))
    world.go(1)
    [run] = world.write(lambda c: run_store.list_runs(c, everyone=True, limit=10))
    world.ask(apply_file_tasks(world.rota, []))
    world.go(10)
    assert (world.run(run).state, world.run(run).reason) == ("stopped", "task_removed")


def test_a_reload_away_from_the_queue_ends_what_waits_in_it(world: World) -> None:
    world.work["backup"] = LONG
    world.ask(apply_file_tasks(world.rota, [spec(name="backup")]))
    runs = [world.ask(starts.start_task(world.rota, OPERATOR, "backup", {})).run for _ in range(2)]
    world.go(1)
    world.ask(apply_file_tasks(world.rota, [spec(name="backup", policy=Policy(overlap="skip"))]))
    world.go(10)
    assert states(world, runs) == ["running", "skipped"]


def test_line_8_fixed_times_fire_once_where_spring_takes_their_hour_away(world: World) -> None:
    """Checklist line 8, as the engine has it; the rules themselves are tested in core."""
    prague = world.add("prague", schedule=CronSchedule("30 2 * * *", timezone="Europe/Prague"))
    york = world.add("york", schedule=CronSchedule("30 1,2 * * *", timezone="America/New_York"))
    every = world.add("every", schedule=CronSchedule("@every 30m"), policy=Policy(catch_up="skip"))
    world.go_until(datetime(2026, 3, 30, tzinfo=UTC))
    spring = {run.nominal_at for run in world.runs(prague) + world.runs(york)}
    assert datetime(2026, 3, 8, 7, 0, tzinfo=UTC) in spring  # 02:30 is not there: 03:00 EDT
    assert datetime(2026, 3, 29, 1, 0, tzinfo=UTC) in spring  # 02:30 is not there: 03:00 CEST
    assert len(world.runs(prague)) == 27
    assert len(world.runs(every)) == (datetime(2026, 3, 30, tzinfo=UTC) - at(0)) // timedelta(minutes=30)


def test_a_schedule_that_this_machine_cannot_read_any_more_keeps_nobody_else_from_their_slots(world: World) -> None:
    lost, other = world.add("lost", schedule=HOURLY), world.add("other", schedule=HOURLY)
    moved = to_text(lost.spec).replace('"timezone":null', '"timezone":"Europe/Atlantis"')
    world.write(lambda c: c.run("UPDATE tasks SET doc = ?, version = 2 WHERE id = ?", (moved, lost.id)))
    world.restart()
    world.go(HOUR + 100)
    assert (world.states(lost), world.states(other)) == ([], ["succeeded"])

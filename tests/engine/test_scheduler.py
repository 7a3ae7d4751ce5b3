"""Slots become runs: each once, late or not, whatever happens to the clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.engine.world import World
from tests.factories import NOON

from rota.core.actor import OPERATOR
from rota.core.policy import Dst, Policy
from rota.core.schedule import CronSchedule, EventSchedule, OnceSchedule
from rota.core.task import Task
from rota.engine.scheduler import Scheduler
from rota.ops import events, snooze, steering
from rota.store import tasks

MINUTELY = CronSchedule("* * * * *")
HOURLY = CronSchedule("0 * * * *")
HOUR, DAY, YEAR = 3600.0, 86_400.0, 365 * 86_400.0


def many(**fields: Any) -> Policy:
    """A policy under which no slot waits for another."""
    return Policy(**{"max_concurrent": 1000, **fields})


def fired(world: World, task: Task) -> list[datetime | None]:
    """Slots that have a run which is not merely a record."""
    return [run.nominal_at for run in world.runs(task) if run.state not in ("missed", "skipped")]


def minutes(*numbers: float) -> list[datetime]:
    return [NOON + timedelta(minutes=number) for number in numbers]


def test_each_slot_makes_one_run(world: World) -> None:
    task = world.add(schedule=MINUTELY, policy=many())
    world.go(300)
    assert fired(world, task) == minutes(1, 2, 3, 4, 5)
    assert [slot.nominal_at for slot in world.slots(task)] == minutes(1, 2, 3, 4, 5)


def test_the_cursor_moves_with_the_runs(world: World) -> None:
    task = world.add(schedule=MINUTELY)
    world.go(150)
    assert world.task(task).next_at == NOON + timedelta(minutes=3)
    assert world.task(task).cursor_at == NOON + timedelta(minutes=2)


def test_a_second_pass_adds_nothing(world: World) -> None:
    task = world.add(schedule=MINUTELY)
    world.clock.advance(60)
    assert world.tick(world.scheduler).counts == {"tasks": 1, "runs": 1}
    assert world.tick(world.scheduler).counts == {"tasks": 0, "runs": 0}
    assert len(world.runs(task)) == 1


def test_a_pass_says_when_the_next_slot_comes(world: World) -> None:
    world.add(schedule=HOURLY)
    assert world.tick(world.scheduler).next_at == NOON + timedelta(hours=1)


def test_a_cursor_that_was_put_back_fires_no_slot_twice(world: World) -> None:
    task = world.add(schedule=MINUTELY)
    world.go(300)
    world.write(lambda c: tasks.update_cursors(c, [tasks.Cursor(task.id, NOON, NOON + timedelta(minutes=1))]))
    world.tick(world.scheduler)
    world.go(30)
    assert fired(world, task) == minutes(1, 2, 3, 4, 5)


def test_a_thousand_tasks_due_at_one_instant_fire_in_one_pass(world: World) -> None:
    for number in range(1000):
        world.add(f"task-{number}", schedule=HOURLY)
    world.clock.advance(HOUR)
    tick = world.tick(world.scheduler)
    assert tick.counts == {"tasks": 1000, "runs": 1000}


def test_more_tasks_than_one_batch_fire_in_passes_that_follow_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.engine.scheduler.BATCH", 4)
    added = [world.add(f"task-{number}", schedule=HOURLY) for number in range(10)]
    world.go(HOUR)
    assert [len(world.runs(task)) for task in added] == [1] * 10


def test_after_downtime_the_newest_slot_is_made_up_and_the_others_are_recorded_as_missed(world: World) -> None:
    task = world.add(schedule=HOURLY)
    world.restart(3 * HOUR)
    world.go(1)
    assert world.outcomes(task) == ["missed", "missed", "running"]
    assert [run.trigger for run in world.runs(task) if run.state == "running"] == ["catch_up"]


def test_one_run_speaks_for_the_whole_downtime(world: World) -> None:
    task = world.add(schedule=HOURLY)
    world.restart(5 * HOUR)
    world.go(1)
    missed = [run for run in world.runs(task) if run.state == "missed"]
    assert [run.reason for run in missed] == ["downtime"]
    first, last = (NOON + timedelta(hours=hours) for hours in (1, 5))
    assert missed[0].output == {
        "missed": 5, "made_up": 1, "is_cut": False, "first_at": first.isoformat().replace("+00:00", "Z"),
        "last_at": last.isoformat().replace("+00:00", "Z"),
    }  # fmt: skip
    assert {slot.run_id for slot in world.slots(task) if slot.outcome == "missed"} == {missed[0].id}


def test_catch_up_all_makes_up_every_slot(world: World) -> None:
    task = world.add(schedule=HOURLY, policy=many(catch_up="all"))
    world.restart(5 * HOUR)
    world.go(1)
    assert world.outcomes(task) == ["running"] * 5


def test_catch_up_all_keeps_to_its_cap_and_takes_the_newest(world: World) -> None:
    task = world.add(schedule=HOURLY, policy=many(catch_up="all", max_catch_up=2))
    world.restart(5 * HOUR)
    world.go(1)
    assert world.outcomes(task) == ["missed", "missed", "missed", "running", "running"]


def test_catch_up_skip_makes_up_nothing(world: World) -> None:
    task = world.add(schedule=HOURLY, policy=Policy(catch_up="skip"))
    world.restart(3 * HOUR)
    world.go(1)
    assert world.outcomes(task) == ["missed"] * 3


def test_a_slot_older_than_the_grace_is_a_misfire(world: World) -> None:
    task = world.add(schedule=HOURLY, policy=Policy(misfire_grace_s=600))
    world.restart(1.5 * HOUR)
    world.go(1)
    assert [(slot.outcome, slot.reason) for slot in world.slots(task)] == [("missed", "misfire")]


def test_a_sleep_of_years_is_recorded_at_its_ends(world: World) -> None:
    task = world.add(schedule=MINUTELY)
    world.restart(2 * YEAR)
    world.go(1)
    slots = world.slots(task)
    assert slots[0].nominal_at == NOON + timedelta(minutes=1)
    assert 1500 < len(slots) <= 2001
    assert slots[-1].outcome == "running"
    assert [str(run.error)[:9] for run in world.runs(task) if run.state == "missed"] == ["more than"]


def test_a_task_made_while_the_server_was_late_is_not_late_itself(world: World) -> None:
    world.add("old", schedule=MINUTELY)
    world.go(600)
    task = world.add("new", schedule=MINUTELY)
    world.go(60)
    assert fired(world, task) == minutes(11)


def test_a_slot_that_came_while_awake_is_simply_due_however_late(world: World) -> None:
    task = world.add(schedule=HOURLY, policy=Policy(catch_up="skip"))
    world.clock.advance(HOUR + 500)
    world.go(1)
    assert world.outcomes(task) == ["running"]


def test_the_repeated_wall_times_of_an_autumn_night_are_recorded_and_not_run(world: World) -> None:
    world.clock.step((datetime(2026, 10, 24, 23, 30, tzinfo=UTC) - NOON).total_seconds())
    world.restart()
    wall = CronSchedule("*/30 * * * *", "Europe/Oslo")
    task = world.add(schedule=wall, policy=many(dst=Dst(interval="wall")))
    world.go(3 * HOUR)
    outcomes = [(slot.nominal_at.strftime("%H:%M"), slot.outcome, slot.reason) for slot in world.slots(task)]
    assert outcomes[:5] == [
        ("00:00", "succeeded", None),
        ("00:30", "succeeded", None),
        ("01:00", "skipped", "dst_fold"),
        ("01:30", "skipped", "dst_fold"),
        ("02:00", "succeeded", None),
    ]


@pytest.mark.parametrize("seconds", [2, 600])
def test_a_clock_set_forward_a_little_loses_no_slot(world: World, seconds: float) -> None:
    task = world.add(schedule=MINUTELY, policy=many(catch_up="all"))
    world.go(90)
    world.clock.step(seconds)
    world.go(90)
    moments = [slot.nominal_at for slot in world.slots(task)]
    assert moments == minutes(*range(1, len(moments) + 1))
    assert "missed" not in world.outcomes(task)


@pytest.mark.parametrize("seconds", [2, 600, DAY, 10 * YEAR])
def test_a_clock_set_forward_is_caught_up_as_a_sleep_is(world: World, seconds: float) -> None:
    task = world.add(schedule=CronSchedule("*/5 * * * *"))
    world.go(HOUR + 10)
    world.clock.step(seconds)
    world.go(1)
    assert len([run for run in world.runs(task) if run.trigger == "catch_up"]) <= 1
    assert world.task(task).next_at == _next_five_minutes(world.clock.now())


def _next_five_minutes(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0) + timedelta(minutes=5 - now.minute % 5)


@pytest.mark.parametrize("seconds", [2, 600, 2 * HOUR])
def test_a_clock_set_back_a_little_waits_for_where_it_was(world: World, seconds: float) -> None:
    task = world.add(schedule=MINUTELY, policy=many())
    world.go(3 * HOUR + 10)
    world.clock.step(-seconds)
    world.go(seconds + 120)
    assert fired(world, task) == minutes(*range(1, 183))


@pytest.mark.parametrize("seconds", [DAY, 10 * YEAR])
def test_a_clock_set_far_back_starts_anew(world: World, seconds: float) -> None:
    task = world.add(schedule=MINUTELY, policy=many())
    world.go(130)
    world.clock.step(-seconds)
    world.go(120)
    moments = fired(world, task)
    assert [moment for moment in moments if moment and moment < NOON] == [
        moment - timedelta(seconds=seconds) for moment in minutes(3, 4)
    ]


@pytest.mark.parametrize("seconds", [2, 600])
def test_a_clock_set_forward_and_back_a_little_loses_no_slot(world: World, seconds: float) -> None:
    task = world.add(schedule=MINUTELY, policy=many())
    world.go(130)
    world.clock.step(seconds)
    world.go(0)
    world.clock.step(-seconds)
    world.go(1200)
    assert [slot.nominal_at for slot in world.slots(task)] == minutes(*range(1, 23))
    assert fired(world, task)[-8:] == minutes(*range(15, 23))


@pytest.mark.parametrize("seconds", [DAY, 10 * YEAR])
def test_a_clock_that_was_far_ahead_for_a_while_takes_no_slot_with_it(world: World, seconds: float) -> None:
    task = world.add(schedule=MINUTELY, policy=many())
    world.go(130)
    world.clock.step(seconds)
    world.go(0)
    world.clock.step(-seconds)
    world.go(1200)
    assert [moment for moment in fired(world, task) if moment and moment < NOON + timedelta(hours=1)] == minutes(*range(1, 23))


@pytest.mark.parametrize("seconds", [DAY, 10 * YEAR])
def test_a_clock_that_was_far_ahead_while_the_server_started_takes_no_slot_with_it(world: World, seconds: float) -> None:
    task = world.add(schedule=MINUTELY, policy=many())
    world.clock.step(seconds)
    world.restart(1)
    world.go(0)
    world.clock.step(-seconds)
    world.restart(1)
    world.go(600)
    assert len([moment for moment in fired(world, task) if moment and moment < NOON + timedelta(hours=1)]) == 10


def test_a_machine_that_slept_catches_up(world: World) -> None:
    task = world.add(schedule=HOURLY)
    world.clock.suspend(3 * HOUR + 60)
    world.go(1)
    assert world.outcomes(task) == ["missed", "missed", "running"]


def test_a_slot_that_came_just_before_the_machine_woke_is_only_late(world: World) -> None:
    task = world.add(schedule=HOURLY, policy=Policy(catch_up="skip"))
    world.clock.suspend(HOUR + 20)
    world.go(1)
    assert world.outcomes(task) == ["running"]


def test_a_jump_is_still_known_when_the_store_was_unavailable_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task = world.add(schedule=MINUTELY, policy=many())
    world.go(130)
    world.clock.step(-DAY)

    def refuse(*_: object) -> None:
        raise OSError("no store")

    with monkeypatch.context() as patch:
        patch.setattr(Scheduler, "_replan", refuse)
        with pytest.raises(OSError, match="no store"):
            world.tick(world.scheduler)
    world.next_at["scheduler"] = world.clock.now()
    world.go(120)
    assert len(fired(world, task)) == 4


def test_a_paused_task_does_not_fire_and_makes_up_nothing_when_it_is_resumed(world: World) -> None:
    task = world.add(schedule=MINUTELY, policy=many(catch_up="all"))
    world.ask(steering.pause_task(world.rota, OPERATOR, task.name))
    world.go(300)
    assert world.runs(task) == []
    world.ask(steering.resume_task(world.rota, OPERATOR, task.name))
    world.go(60)
    assert fired(world, task) == minutes(6)


def test_a_once_in_the_past_is_due_now_and_only_once(world: World) -> None:
    task = world.add(schedule=OnceSchedule(at="2026-01-01T00:00:00Z"), policy=Policy(catch_up="skip"))
    world.go(HOUR)
    world.restart(HOUR)
    world.go(HOUR)
    assert world.outcomes(task) == ["succeeded"]
    assert world.task(task).next_at is None


def test_an_event_task_has_no_slots_and_starts_with_its_event(world: World) -> None:
    task = world.add(schedule=EventSchedule("build.done"))
    world.go(DAY)
    assert world.runs(task) == []
    world.ask(events.publish_event(world.rota, OPERATOR, "build.done", {"branch": "main"}))
    world.go(1)
    assert [(run.trigger, run.state) for run in world.runs(task)] == [("event", "running")]
    assert world.runs(task)[0].params["event"]["payload"] == {"branch": "main"}


def test_a_task_that_runs_on_each_start_does(world: World) -> None:
    task = world.add(run_on_start=True)
    world.restart(10)
    world.go(100)
    world.restart(10)
    world.go(100)
    assert [run.trigger for run in world.runs(task)] == ["startup", "startup"]


def test_missed_slots_are_events_too(world: World) -> None:
    world.add("backup", schedule=HOURLY, policy=Policy(catch_up="skip"))
    alarm = world.add("alarm", schedule=EventSchedule("run.missed.backup"))
    world.restart(3 * HOUR)
    world.go(1)
    assert len(world.runs(alarm)) == 1


def test_a_snoozed_slot_is_put_off_and_the_ones_after_it_keep_their_times(world: World) -> None:
    task = world.add(schedule=HOURLY, policy=many())
    world.ask(snooze.snooze_task(world.rota, OPERATOR, task.name, 1800))
    world.go(2.1 * HOUR)
    assert [run.started_at for run in world.runs(task)] == [NOON + timedelta(hours=1.5), NOON + timedelta(hours=2)]


def test_a_slot_that_came_before_the_snooze_and_was_not_handled_yet_is_the_one_put_off(world: World) -> None:
    task = world.add(schedule=HOURLY, policy=many())
    world.clock.advance(HOUR)
    world.ask(snooze.snooze_task(world.rota, OPERATOR, task.name, 1800))
    world.go(HOUR)
    assert [slot.nominal_at for slot in world.slots(task)] == [NOON + timedelta(hours=hours) for hours in (1, 2)]
    assert world.runs(task)[0].started_at == NOON + timedelta(hours=1.5)


def test_a_slot_that_was_run_before_the_clock_was_set_back_is_not_snoozed_into_a_second_run(world: World) -> None:
    task = world.add(schedule=HOURLY, policy=many())
    world.go(5.5 * HOUR)
    world.clock.step(-4 * HOUR)
    world.go(1)
    world.ask(snooze.snooze_task(world.rota, OPERATOR, task.name, 60))
    world.go(6 * HOUR)
    nominal = [run.nominal_at for run in world.runs(task)]
    assert sorted(set(nominal), key=str) == sorted(nominal, key=str)

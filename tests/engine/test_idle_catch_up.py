"""Catch-up `idle`: what a run stood in the way of is not made up."""

import pytest
from tests.engine.machine import Work
from tests.engine.world import World
from tests.factories import at

from rota.core.policy import Policy
from rota.core.schedule import CalendarEntry, CalendarSchedule

HOUR = 3600.0
HOURLY = CalendarSchedule([CalendarEntry(minutes=[0])])
POLICY = Policy(overlap="skip", catch_up="idle")


def test_a_slot_that_passed_while_the_server_was_down_and_nothing_ran_is_made_up_once(world: World) -> None:
    task = world.add(schedule=HOURLY, policy=POLICY)
    world.go(HOUR + 100)
    world.restart(after_s=3 * HOUR)
    world.go(100)
    first, *others = world.runs(task)
    assert [(run.state, run.trigger) for run in others if run.state != "missed"] == [("succeeded", "catch_up")]
    assert first.nominal_at == at(HOUR)


@pytest.mark.parametrize("late_s", [0.0, 10 * HOUR])
def test_slots_that_passed_while_a_run_was_cut_off_are_not_made_up_and_the_next_one_runs(world: World, late_s: float) -> None:
    world.work["backup"] = Work(duration_s=30 * HOUR)
    task = world.add(schedule=HOURLY, policy=POLICY)
    world.go(HOUR + 100)
    world.restart(after_s=2 * HOUR + late_s)
    world.go(100)
    assert [run.state for run in world.runs(task) if run.state != "missed"] == ["crashed"]
    world.go(HOUR)
    assert [run.state for run in world.runs(task) if run.state != "missed"] == ["crashed", "running"]

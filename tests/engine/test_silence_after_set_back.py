"""What is told while slots come again that have had their runs, because the clock was set back."""

import asyncio
from datetime import datetime, timedelta

import pytest
from tests.engine.world import World
from tests.factories import NOON

from rota.core.policy import Policy
from rota.core.schedule import CronSchedule
from rota.core.task import Task
from rota.ops.health import check_readiness

MINUTELY, HOURLY = CronSchedule("* * * * *"), CronSchedule("0 * * * *")
HOUR, DAY = 3600.0, 86_400.0
# Under this no slot waits for another.
MANY = Policy(max_concurrent=1000)


def minutes(*numbers: int) -> list[datetime]:
    return [NOON + timedelta(minutes=number) for number in numbers]


def fired(world: World, task: Task) -> list[datetime | None]:
    return [run.nominal_at for run in world.runs(task) if run.state not in ("missed", "skipped")]


def note(world: World) -> str | None:
    readiness = asyncio.run(check_readiness(world.rota))
    assert readiness.ready
    return readiness.notes.get("scheduler")


@pytest.mark.parametrize("back_s", [600, 4 * HOUR])
def test_a_silence_is_told_until_the_clock_has_caught_up_and_every_slot_has_one_run(world: World, back_s: float) -> None:
    task = world.add(schedule=MINUTELY, policy=MANY)
    world.go(5 * HOUR + 10)
    assert note(world) is None
    until = world.clock.now()
    world.clock.step(-back_s)
    world.go(60)
    told = note(world)
    assert told is not None
    assert f"{timedelta(seconds=back_s - 60)} behind" in told
    assert f"until {until.isoformat(timespec='seconds')}" in told
    assert fired(world, task) == minutes(*range(1, 301))
    world.go(back_s - 60)
    assert note(world) is None
    world.go(60)
    assert fired(world, task) == minutes(*range(1, 302))


def test_a_clock_set_back_twice_is_waited_for_where_it_was_first(world: World) -> None:
    world.add(schedule=MINUTELY, policy=MANY)
    world.go(HOUR + 10)
    until = world.clock.now()
    for _ in range(2):
        world.clock.step(-600)
        world.go(0)
    told = note(world) or ""
    assert "0:20:00 behind" in told
    assert until.isoformat(timespec="seconds") in told
    world.clock.step(1200)
    world.go(0)
    assert note(world) is None


@pytest.mark.parametrize(("ran_s", "back_s"), [(HOUR + 1200, 600), (130, DAY)])
def test_where_no_slot_comes_again_nothing_is_told(world: World, ran_s: float, back_s: float) -> None:
    """Between two slots of an hourly task, and to a time that no server has seen."""
    world.add(schedule=HOURLY)
    world.go(ran_s)
    world.clock.step(-back_s)
    world.go(1)
    assert note(world) is None


def test_a_clock_that_was_wrong_for_a_moment_and_is_right_again_silences_nothing(world: World) -> None:
    task = world.add(schedule=MINUTELY, policy=MANY)
    world.go(130)
    world.clock.step(DAY)
    world.go(0)
    world.clock.step(-DAY)
    world.go(120)
    assert note(world) is None
    assert minutes(3, 4) == [moment for moment in fired(world, task) if moment in minutes(3, 4)]

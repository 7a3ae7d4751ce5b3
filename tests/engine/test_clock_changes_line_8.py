"""Both clock changes of two zones, as a RunWisp file's tasks go through them (checklist line 8)."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.databases import open_memory
from tests.engine.world import World

from rota.config import load
from rota.core.run import Run
from rota.core.task import Task, TaskSpec

TOML = """
[tasks.fixed]
cron = "30 1,2 * * *"
timezone = "{zone}"
run = "true"
[tasks.often]
cron = "0,30 * * * *"
timezone = "{zone}"
run = "true"
[tasks.every]
cron = "@every 30m"
run = "true"
"""
EndReasons = dict[str, list[str]]


@pytest.fixture
def go_through(tmp_path: Path) -> Iterator[Callable[[str, str], EndReasons]]:
    """Six hours from that moment on: when each task fired, in UTC, and what came of it."""
    with closing(open_memory()) as database:

        def go(zone: str, from_: str) -> EndReasons:
            file = tmp_path / "runwisp.toml"
            file.write_text(TOML.format(zone=zone))
            start = datetime.fromisoformat(from_)
            world = World(tmp_path, database, start=start)
            made = {unit.name: add(world, unit.spec) for unit in load(file, {}).units}
            world.go(timedelta(hours=6).total_seconds())
            world.shut()
            return {name: [ending(run) for run in world.runs(task)] for name, task in made.items()}

        yield go


def add(world: World, spec: TaskSpec) -> Task:
    return world.add(spec.name, schedule=spec.schedule, policy=spec.policy, executor=spec.executor)


def ending(run: Run) -> str:
    assert run.nominal_at is not None
    return f"{run.nominal_at:%H:%M} {run.reason or run.state}"


def ok(*times: str) -> list[str]:
    return [f"{time} succeeded" for time in times]


@pytest.mark.parametrize(
    ("zone", "from_", "fixed", "repeated"),
    [
        # 03:00 CEST becomes 02:00 CET at 01:00 UTC: the hour from 01:00 on is the second 02:xx.
        ("Europe/Prague", "2026-10-24T22:45:00+00:00", ["23:30", "00:30", "01:30!"], ["01:00", "01:30"]),
        # 02:00 EDT becomes 01:00 EST at 06:00 UTC.
        ("America/New_York", "2026-11-01T03:45:00+00:00", ["05:30", "06:30!", "07:30"], ["06:00", "06:30"]),
    ],
)
def test_line_8_in_autumn_a_repeated_wall_time_is_a_run_that_was_skipped(
    go_through: Callable[[str, str], EndReasons], zone: str, from_: str, fixed: list[str], repeated: list[str]
) -> None:
    ends = go_through(zone, from_)
    assert ends["fixed"] == [f"{time[:5]} dst_fold" if "!" in time else f"{time} succeeded" for time in fixed]
    assert [end for end in ends["often"] if "dst_fold" in end] == [f"{time} dst_fold" for time in repeated]
    assert len(ends["often"]) == 12
    assert len(ends["every"]) == 12
    assert not any("dst_fold" in end for end in ends["every"])


@pytest.mark.parametrize(
    ("zone", "from_", "fixed"),
    [
        # 02:00 CET becomes 03:00 CEST at 01:00 UTC: 02:30 is not there, and fires as soon as there is time again.
        ("Europe/Prague", "2026-03-28T22:45:00+00:00", ["00:30", "01:00"]),
        ("America/New_York", "2026-03-08T03:45:00+00:00", ["06:30", "07:00"]),
    ],
)
def test_line_8_in_spring_what_falls_into_the_gap_fires_once_at_its_end(
    go_through: Callable[[str, str], EndReasons], zone: str, from_: str, fixed: list[str]
) -> None:
    ends = go_through(zone, from_)
    assert ends["fixed"] == ok(*fixed)
    assert (len(ends["often"]), len(ends["every"])) == (12, 12)
    assert not any("dst_fold" in end for name in ends for end in ends[name])

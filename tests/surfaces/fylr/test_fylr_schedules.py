"""When the next run is: criteria, zones, clock changes, `next_run_at` beside `schedules` (contract §6.2, §6.3, §11)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.factories import spec
from tests.surfaces.fylr.users_asking import People, asked

from rota.core.actor import OPERATOR
from rota.core.schedule import CronSchedule
from rota.core.work import Module
from rota.ops import tasks, users
from rota.ops.context import Rota

# It is noon of a Monday, 2026-03-02.
DAILY = {"minutes": [0], "hours": [3], "timezone": "Europe/Berlin"}
NEXT = [
    ([DAILY], "2026-03-03T02:00:00Z"),
    ([{}], "2026-03-02T12:01:00Z"),
    ([{"hours": [12]}], "2026-03-02T12:01:00Z"),
    ([{"hours": [3]}], "2026-03-03T03:00:00Z"),
    ([{"minutes": [0]}], "2026-03-02T13:00:00Z"),
    ([{"minutes": [30], "hours": []}], "2026-03-02T12:30:00Z"),
    ([{"weekdays": ["sunday"], "minutes": [5]}], "2026-03-08T00:05:00Z"),
    ([{"weekdays": ["monday"], "days_of_month": [13], "hours": [0], "minutes": [0]}], "2026-04-13T00:00:00Z"),
    ([{"days_of_month": [31], "hours": [0], "minutes": [0]}], "2026-03-31T00:00:00Z"),
    ([DAILY, {"hours": [13], "minutes": [7]}], "2026-03-02T13:07:00Z"),
    ([{"hours": [21], "minutes": [0], "timezone": "Asia/Tokyo"}], "2026-03-03T12:00:00Z"),
    ([{"hours": [21], "minutes": [1], "timezone": "Asia/Tokyo"}], "2026-03-02T12:01:00Z"),
]


@pytest.mark.parametrize(("schedules", "expected"), NEXT)
def test_10_a_schedule_says_when_the_first_run_is(rota: Rota, schedules: list[dict[str, Any]], expected: str) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(schedules=schedules)
        assert task["next_run_at"] == expected
        assert task["schedules"] == [{name: value for name, value in each.items() if value != []} for each in schedules]
        later = await who.owner.task()
        assert (await who.owner.patch(later, schedules=schedules))["task"]["next_run_at"] == expected

    asked(rota, talk)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # Berlin, spring: 02:30 of the 29th does not exist. Autumn: 02:30 of the 25th exists twice, and the first is taken.
        (datetime(2026, 3, 28, 12, tzinfo=UTC), "2026-03-30T00:30:00Z"),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), "2026-10-25T00:30:00Z"),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "2026-10-26T01:30:00Z"),
        (datetime(2026, 10, 25, 1, 0, tzinfo=UTC), "2026-10-26T01:30:00Z"),
    ],
)
def test_wall_times_that_are_skipped_do_not_fire_and_repeated_ones_fire_once(rota: Rota, now: datetime, expected: str) -> None:
    async def talk(who: People) -> None:
        rota.clock.advance((now - rota.clock.now()).total_seconds())  # type: ignore[attr-defined]
        task = await who.owner.task(schedules=[{"hours": [2], "minutes": [30], "timezone": "Europe/Berlin"}])
        assert task["next_run_at"] == expected

    asked(rota, talk)


def test_a_moment_is_written_in_utc_and_whole_seconds(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for given in ("2026-05-30T14:00:10+02:00", "2026-05-30T12:00:10.987Z", "2026-05-30t12:00:10z", "2026-05-30T12:00:10Z"):
            assert (await who.owner.task(next_run_at=given))["next_run_at"] == "2026-05-30T12:00:10Z"

    asked(rota, talk)


LATER, SOONER = "2026-06-01T00:00:00Z", "2026-03-02T12:30:00Z"
FIRST = "2026-03-03T02:00:00Z"


@pytest.mark.parametrize(
    ("before", "change", "expected"),
    [
        # An explicit moment is the first time, also one that no criterion matches; null parks; what is not said is left.
        ({"schedules": [DAILY], "next_run_at": LATER}, {}, LATER),
        ({"schedules": [DAILY], "next_run_at": None}, {}, None),
        ({"schedules": [DAILY]}, {"description": "x"}, FIRST),
        ({"schedules": [DAILY]}, {"next_run_at": SOONER}, SOONER),
        ({"schedules": [DAILY]}, {"next_run_at": None}, None),
        ({"schedules": [DAILY], "next_run_at": LATER}, {"schedules": [DAILY]}, FIRST),
        ({"schedules": [DAILY], "next_run_at": None}, {"schedules": [DAILY]}, FIRST),
        ({"schedules": [DAILY], "next_run_at": None}, {"description": "x"}, None),
        ({"schedules": [DAILY], "next_run_at": None}, {"next_run_at": LATER}, LATER),
        ({"schedules": [DAILY]}, {"schedules": []}, FIRST),
        ({"schedules": [DAILY]}, {"schedules": [], "next_run_at": None}, None),
        ({"next_run_at": LATER}, {"schedules": [DAILY]}, FIRST),
        ({"next_run_at": LATER}, {"schedules": [DAILY], "next_run_at": LATER}, LATER),
        ({"next_run_at": LATER}, {"next_run_at": None}, None),
        ({"next_run_at": LATER}, {"next_run_at": SOONER}, SOONER),
        ({"next_run_at": LATER}, {"task_params": {"runtime": 1}}, LATER),
        ({}, {"next_run_at": LATER}, LATER),
        ({}, {"schedules": []}, None),
    ],
)
def test_a_change_plans_anew_only_what_it_says(
    rota: Rota, before: dict[str, Any], change: dict[str, Any], expected: str | None
) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(**before)
        changed = (await who.owner.patch(task, **change))["task"] if change else task
        assert changed["next_run_at"] == expected
        assert (await who.owner.get(task))["next_run_at"] == expected
        # Sent back as it is, it stays as it is.
        again = {**changed, "_version": changed["_version"] + 1}
        assert (await who.owner.ask("PATCH", f"/{task['_id']}", {"task": again}))["task"] == again

    asked(rota, talk)


def test_a_run_that_has_come_and_not_begun_can_still_be_put_off_or_taken_back(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for put_off in (None, LATER):
            task = await who.owner.task(next_run_at="2026-03-02T11:00:00Z")
            assert (task["status"], task["next_run_at"]) == ("new", "2026-03-02T11:00:00Z")
            changed = (await who.owner.patch(task, next_run_at=put_off))["task"]
            assert (changed["status"], changed["next_run_at"]) == ("new", put_off)

    asked(rota, talk)


def test_a_schedule_that_was_made_elsewhere_can_be_parked_and_started_and_is_never_lost(rota: Rota) -> None:
    async def talk(who: People) -> None:
        (olga,) = [user.actor for user in await users.list_users(rota, OPERATOR) if user.name == "olga"]
        cron = CronSchedule("15 4 * * *", "UTC")
        await tasks.create_task(rota, olga, spec(name="nap", executor=Module(module="sleep"), schedule=cron))
        task = (await who.owner.ask("GET"))["objects"][0]["task"]
        assert (task["schedules"], task["next_run_at"]) == ([], "2026-03-03T04:15:00Z")
        assert (await who.owner.patch(task, 400, next_run_at=LATER))["code"] == "ServerGeneric"
        for moment, shown in ((None, None), ("2026-03-02T11:00:00Z", "2026-03-02T11:00:00Z")):
            task = (await who.owner.patch(task, next_run_at=moment))["task"]
            assert task["next_run_at"] == shown
        task = (await who.owner.patch(task, description="x"))["task"]
        stored = await tasks.get_task(rota, olga, "nap")
        assert (stored.spec.schedule, stored.status) == (cron, "active")
        task = (await who.owner.patch(task, schedules=[DAILY]))["task"]
        assert (task["schedules"], task["next_run_at"]) == ([DAILY], FIRST)

    asked(rota, talk)

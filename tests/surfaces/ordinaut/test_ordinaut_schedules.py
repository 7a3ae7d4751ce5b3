"""When Ordinaut's tasks are due: what the previews say (contract §6, §15.2 and §15.3)."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.surfaces.ordinaut.agents_asking import People, asked

from rota.ops.context import Rota

CASES = [
    # kind, expression, zone, from when, the next instants as far as they matter
    ("cron", "30 8 * * *", "Europe/Chisinau", "2027-03-26T00:00",
     ["2027-03-26T06:30", "2027-03-27T06:30", "2027-03-28T05:30", "2027-03-29T05:30", "2027-03-30T05:30"]),
    ("rrule", "FREQ=DAILY;BYHOUR=8;BYMINUTE=30", "Europe/Chisinau", "2027-03-26T00:00",
     ["2027-03-26T06:30", "2027-03-27T06:30", "2027-03-28T05:30", "2027-03-29T05:30", "2027-03-30T05:30"]),
    ("cron", "30 8 * * *", "Europe/Chisinau", "2026-10-24T00:00", ["2026-10-24T05:30", "2026-10-25T06:30", "2026-10-26T06:30"]),
    ("cron", "30 2 * * *", "America/New_York", "2027-03-14T00:00", ["2027-03-14T07:30", "2027-03-15T06:30"]),
    ("cron", "30 1 * * *", "America/New_York", "2026-11-01T00:00", ["2026-11-01T05:30", "2026-11-02T06:30"]),
    ("rrule", "FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "America/New_York", "2027-03-14T00:00", ["2027-03-14T07:30"]),
    ("cron", "0 9 * * 1-5", "UTC", "2026-03-06T10:00", ["2026-03-09T09:00", "2026-03-10T09:00"]),
    ("cron", "0 9 * * 0", "UTC", "2026-03-06T10:00", ["2026-03-08T09:00"]),
    ("cron", "0 9 * * 7", "UTC", "2026-03-06T10:00", ["2026-03-08T09:00"]),
    ("cron", "0 9 13 * FRI", "UTC", "2026-03-06T10:00", ["2026-03-13T09:00", "2026-03-20T09:00"]),
    ("cron", "0 0 last * *", "UTC", "2026-02-06T10:00", ["2026-02-28T00:00", "2026-03-31T00:00"]),
    ("cron", "@daily", "Etc/GMT+3", "2026-03-06T10:00", ["2026-03-07T03:00"]),
    ("cron", "* * * * *", "UTC", "2026-03-06T10:00:30", ["2026-03-06T10:01", "2026-03-06T10:02"]),
    ("rrule", "rrule:freq=daily;byhour=9,18", "UTC", "2026-03-06T10:11:12", ["2026-03-06T18:00", "2026-03-07T09:00"]),
    ("rrule", "FREQ=WEEKLY;BYDAY=FR;BYHOUR=17", "UTC", "2026-03-02T10:00", ["2026-03-06T17:00", "2026-03-13T17:00"]),
    ("rrule", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1;BYHOUR=9", "UTC", "2026-03-02T10:00", ["2026-04-01T09:00"]),
    ("rrule", "FREQ=DAILY;COUNT=2;BYHOUR=9", "UTC", "2026-03-02T10:00", ["2026-03-03T09:00", "2026-03-04T09:00", None]),
    ("rrule", "DTSTART:20260310T080000\nRRULE:FREQ=DAILY\nEXDATE:20260311T080000", "UTC", "2026-03-02T10:00",
     ["2026-03-10T08:00", "2026-03-12T08:00"]),
    ("once", "2026-07-01T09:00:00", "Europe/Berlin", "2026-03-02T10:00", ["2026-07-01T07:00", None]),
    ("once", "2026-03-02T09:59:30Z", "UTC", "2026-03-02T10:00", []),
    ("condition", "disk.free < 10", "UTC", "2026-03-02T10:00", [None]),
    ("event", "orders", "UTC", "2026-03-02T10:00", [None]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "expr", "zone", "start", "expected"), CASES)
def test_the_previews_are_the_instants_that_the_contract_names(
    rota: Rota, kind: str, expr: str, zone: str, start: str, expected: list[str | None]
) -> None:
    rota.clock._now = datetime.fromisoformat(start).replace(tzinfo=UTC)  # type: ignore[attr-defined]

    async def talk(who: People) -> None:
        task = await who.owner.task(schedule_kind=kind, schedule_expr=expr, timezone=zone)
        assert (task["schedule_kind"], task["schedule_expr"], task["timezone"]) == (kind, expr, zone)
        shown = (await who.owner.get(f"/tasks/{task['id']}"))["next_runs"]
        for number, moment in enumerate(expected):
            if moment is None:
                assert len(shown) == number
            else:
                assert shown[number] == f"{datetime.fromisoformat(moment):%Y-%m-%dT%H:%M:%S}.000000Z"

    asked(rota, talk)


def test_a_changed_schedule_counts_from_its_change(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(schedule_kind="rrule", schedule_expr="FREQ=DAILY;COUNT=1;BYHOUR=18")
        path = f"/tasks/{task['id']}"
        changed = await who.owner.put(path, {"schedule_expr": "FREQ=DAILY;COUNT=3;BYHOUR=19"})
        assert changed["next_run_at"][11:19] == "19:00:00"
        soon = (rota.clock.now() + timedelta(minutes=5)).isoformat()
        changed = await who.owner.put(path, {"schedule_kind": "once", "schedule_expr": soon})
        assert len((await who.owner.get(path))["next_runs"]) == 1
        changed = await who.owner.put(path, {"schedule_kind": "event", "schedule_expr": None})
        assert (changed["schedule_expr"], changed["next_run_at"], len(changed["warnings"])) == (None, None, 1)
        await who.owner.put(path, {"schedule_kind": "cron"}, 422)

    asked(rota, talk)

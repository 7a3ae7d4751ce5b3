"""What clock changes do to schedules: the contracts' examples, and all zones around their real switches."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.depth import examples

from rota.core.policy import Dst
from rota.core.schedule import CronSchedule, Planned, RRuleSchedule, Schedule, ScheduleSpec, compile_schedule, occurrences

ANCHOR = datetime(2010, 1, 1, tzinfo=UTC)
NEW_YORK = "America/New_York"


def compiled(spec: ScheduleSpec, **dst: str) -> Schedule:
    return compile_schedule(spec, dst=Dst(**dst), anchor_at=ANCHOR)  # type: ignore[arg-type]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(schedule: Schedule, start: datetime, end: datetime) -> list[Planned]:
    """All that is planned after `start` up to `end`."""
    found, moment = [], start
    while (planned := schedule.next_after(moment)) is not None and planned.at <= end:
        assert planned.at > moment
        found.append(planned)
        moment = planned.at
    return found


def on_day(spec: CronSchedule | RRuleSchedule, day: str, **dst: str) -> list[str]:
    """The UTC times of day planned within a local day."""
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(spec.timezone or "UTC"))
    planned = between(compiled(spec, **dst), start - timedelta(microseconds=1), start.replace(hour=23, minute=59))
    return [f"{found.at:%H:%MZ}" for found in planned if not found.suppressed]


@pytest.mark.parametrize(
    ("expr", "zone", "day", "dst", "expected"),
    [
        ("30 2 * * *", NEW_YORK, "2027-03-14", {"gap": "shift"}, ["07:30Z"]),
        ("30 2 * * *", NEW_YORK, "2027-03-14", {"gap": "end"}, ["07:00Z"]),
        ("30 2 * * *", NEW_YORK, "2027-03-14", {"gap": "skip"}, []),
        ("10,50 2 * * *", NEW_YORK, "2027-03-14", {"gap": "end"}, ["07:00Z"]),
        ("10,50 2 * * *", NEW_YORK, "2027-03-14", {"gap": "shift"}, ["07:10Z", "07:50Z"]),
        ("30 2,3 * * *", NEW_YORK, "2027-03-14", {"gap": "shift"}, ["07:30Z"]),
        ("15 2,3 * * *", NEW_YORK, "2027-03-14", {"gap": "end"}, ["07:00Z", "07:15Z"]),
        ("30 1 * * *", NEW_YORK, "2026-11-01", {}, ["05:30Z"]),
        ("30 1 * * *", NEW_YORK, "2026-11-01", {"fold": "second"}, ["06:30Z"]),
        ("30 1 * * *", NEW_YORK, "2026-11-01", {"fold": "both"}, ["05:30Z", "06:30Z"]),
        (
            "0,59 0-2 * * *",
            NEW_YORK,
            "2026-11-01",
            {"fold": "second"},
            ["04:00Z", "04:59Z", "06:00Z", "06:59Z", "07:00Z", "07:59Z"],
        ),
        ("*/30 1 * * *", NEW_YORK, "2026-11-01", {}, ["05:00Z", "05:30Z", "06:00Z", "06:30Z"]),
        ("*/30 1 * * *", NEW_YORK, "2026-11-01", {"interval": "wall"}, ["05:00Z", "05:30Z"]),
        ("*/30 2 * * *", NEW_YORK, "2027-03-14", {}, []),
        ("*/30 2 * * *", NEW_YORK, "2027-03-14", {"interval": "wall"}, ["07:00Z"]),
        ("15 1 * * *", "Australia/Lord_Howe", "2027-04-04", {}, ["14:15Z"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2027-04-04", {}, ["14:45Z"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2027-04-04", {"fold": "second"}, ["15:15Z"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2027-10-03", {"gap": "end"}, ["15:30Z"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2027-10-03", {"gap": "shift"}, ["15:45Z"]),
        ("0 0 * * *", "America/Havana", "2027-03-14", {"gap": "end"}, ["05:00Z"]),
        ("30 0 * * *", "America/Havana", "2027-03-14", {"gap": "shift"}, ["05:30Z"]),
        ("0 0 * * *", "Africa/Cairo", "2027-04-30", {"gap": "end"}, ["22:00Z"]),
    ],
)
def test_a_clock_change_does_to_cron_what_the_policy_says(
    expr: str, zone: str, day: str, dst: dict[str, str], expected: list[str]
) -> None:
    assert on_day(CronSchedule(expr, zone), day, **dst) == expected


def test_rules_follow_the_same_policy() -> None:
    half_past_two = RRuleSchedule("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", NEW_YORK)
    assert on_day(half_past_two, "2027-03-14", gap="shift") == ["07:30Z"]
    assert on_day(half_past_two, "2027-03-14", gap="end") == ["07:00Z"]
    assert on_day(RRuleSchedule("FREQ=DAILY;BYHOUR=1;BYMINUTE=30", NEW_YORK), "2026-11-01") == ["05:30Z"]


def test_a_rule_finer_than_a_day_fires_in_both_folded_hours() -> None:
    half_hours = compiled(RRuleSchedule("FREQ=MINUTELY;INTERVAL=30", NEW_YORK))
    planned = between(half_hours, utc("2026-11-01T04:00"), utc("2026-11-01T08:00"))
    assert [found.at for found in planned] == [utc("2026-11-01T04:00") + n * timedelta(minutes=30) for n in range(1, 9)]


def test_a_lost_day_fires_once_when_it_is_over() -> None:
    noon = compiled(CronSchedule("0 12 * * *", "Pacific/Apia"))
    planned = between(noon, utc("2011-12-29T12:00"), utc("2011-12-31T12:00"))
    assert [(f"{found.local:%d %H:%M}", found.note) for found in planned] == [
        ("29 12:00", None),
        ("31 00:00", "dst_gap"),
        ("31 12:00", None),
    ]


def test_wall_intervals_record_the_repeats_they_suppress() -> None:
    planned = between(
        compiled(CronSchedule("0 * * * *", NEW_YORK), interval="wall"), utc("2026-11-01T04:30"), utc("2026-11-01T07:30")
    )
    assert [(f"{found.at:%H:%M}", found.note, found.suppressed) for found in planned] == [
        ("05:00", "dst_fold", False),
        ("06:00", "dst_fold", True),
        ("07:00", None, False),
    ]


def test_under_wall_intervals_the_repeat_of_a_fixed_time_is_recorded_too() -> None:
    planned = between(
        compiled(CronSchedule("30 1 * * *", NEW_YORK), interval="wall"), utc("2026-11-01T04:30"), utc("2026-11-01T07:30")
    )
    assert [(f"{found.at:%H:%M}", found.suppressed) for found in planned] == [("05:30", False), ("06:30", True)]


def test_wall_intervals_do_not_fire_twice_at_the_end_of_a_gap() -> None:
    planned = between(
        compiled(CronSchedule("0 * * * *", NEW_YORK), interval="wall"), utc("2027-03-14T05:30"), utc("2027-03-14T08:00")
    )
    assert [f"{found.at:%H:%M}" for found in planned] == ["06:00", "07:00", "08:00"]


def test_asking_inside_a_fold_never_answers_a_moment_already_past() -> None:
    half_past_one = compiled(CronSchedule("30 1 * * *", NEW_YORK))
    planned = half_past_one.next_after(utc("2026-11-01T06:00"))
    assert planned and planned.at == utc("2026-11-02T06:30")


def test_what_is_moved_or_ambiguous_says_so() -> None:
    half_past_two = compiled(CronSchedule("30 2 * * *", NEW_YORK)).next_after(utc("2027-03-14T05:00"))
    assert half_past_two and half_past_two.note == "dst_gap" and f"{half_past_two.local:%H:%M%z}" == "03:00-0400"
    half_past_one = compiled(CronSchedule("30 1 * * *", NEW_YORK)).next_after(utc("2026-11-01T04:00"))
    assert half_past_one and half_past_one.note == "dst_fold" and f"{half_past_one.local:%H:%M%z}" == "01:30-0400"


def test_a_daily_time_stays_put_through_both_switches() -> None:
    for spec in (
        CronSchedule("30 8 * * *", "Europe/Chisinau"),
        RRuleSchedule("FREQ=DAILY;BYHOUR=8;BYMINUTE=30", "Europe/Chisinau"),
    ):
        planned = occurrences(compiled(spec), utc("2027-03-25T12:00"), 250)
        assert {f"{found.local:%H:%M}" for found in planned} == {"08:30"}


@settings(max_examples=examples(100))
@given(
    st.integers(0, 59),
    st.integers(0, 23),
    st.sampled_from([NEW_YORK, "Europe/Berlin", "Australia/Sydney"]),
    st.integers(1_700_000_000, 1_900_000_000),
    st.booleans(),
)
def test_it_agrees_with_cronsim_on_clock_changes(minute: int, hour: int, zone: str, second: int, star: bool) -> None:
    expr = f"{minute} {'*' if star else hour} * * *"
    after = datetime.fromtimestamp(second, ZoneInfo(zone))
    theirs = CronSim(expr, after)
    assert [found.at for found in occurrences(compiled(CronSchedule(expr, zone)), after, 20)] == [
        next(theirs).astimezone(UTC) for _ in range(20)
    ]


def changes_of(zone: ZoneInfo) -> Iterator[tuple[int, int, int]]:
    """Each change of offset in 2024-2030: the second it happens, the offsets before and after. Found without our own code."""

    def offset(second: int) -> int:
        return int(datetime.fromtimestamp(second, zone).utcoffset().total_seconds())  # type: ignore[union-attr]

    start, end = int(utc("2024-01-01").timestamp()), int(utc("2031-01-01").timestamp())
    low, before = start, offset(start)
    for high in range(start + 604_800, end, 604_800):
        after = offset(high)
        if after != before:
            left, right = low, high
            while right - left > 1:
                middle = (left + right) // 2
                left, right = (middle, right) if offset(middle) == before else (left, middle)
            yield right, before, after
        low, before = high, after


@pytest.fixture(scope="module")
def zones() -> dict[tuple[tuple[int, int, int], ...], str]:
    """One zone for each distinct history of changes, out of all there are."""
    names = sorted(available_timezones() - {"localtime"})
    histories = {tuple(changes_of(ZoneInfo(name))): name for name in names}
    assert len(names) > 400 and sum(map(len, histories)) > 400
    return histories


def test_a_fixed_time_fires_once_each_day_through_the_changes_of_all_zones(
    zones: dict[tuple[tuple[int, int, int], ...], str],
) -> None:
    for changes, name in zones.items():
        zone = ZoneInfo(name)
        for second, before, after in changes:
            inside = datetime.fromtimestamp(second + (before + after) // 2, UTC)
            spec = CronSchedule(f"{inside.minute} {inside.hour} * * *", name)
            start = datetime.fromtimestamp(second, UTC) - timedelta(days=2, hours=2)
            planned = between(compiled(spec), start, start + timedelta(days=4))
            # A gap before midnight moves its day's firing to midnight, the last moment of that day.
            days = [(found.local - timedelta(seconds=found.note == "dst_gap")).date() for found in planned]
            assert len(days) == len(set(days)) == 4, (name, inside)
            for found in planned:
                shown = found.at.astimezone(zone)
                assert (shown.hour, shown.minute) == (inside.hour, inside.minute) or found.at.timestamp() == second
                assert shown.fold == 0


def test_an_interval_fires_at_every_real_occurrence_through_the_changes_of_all_zones(
    zones: dict[tuple[tuple[int, int, int], ...], str],
) -> None:
    for changes, name in zones.items():
        zone, schedule = ZoneInfo(name), compiled(CronSchedule("*/15 * * * *", name))
        for second, _, _ in changes:
            window = range(second - 7_200, second + 7_200, 300)
            expected = [at for at in window if datetime.fromtimestamp(at, zone).minute % 15 == 0]
            planned = between(schedule, datetime.fromtimestamp(window[0] - 1, UTC), datetime.fromtimestamp(window[-1], UTC))
            assert [int(found.at.timestamp()) for found in planned] == expected, name


def test_every_real_name_of_a_zone_is_known() -> None:
    for name in ("America/Argentina/Ushuaia", "America/Indiana/Knox", "Etc/GMT+3", "UTC", "GMT", "Asia/Kathmandu"):
        planned = compiled(CronSchedule("0 12 * * *", name)).next_after(utc("2026-06-01"))
        assert planned and planned.local.hour == 12

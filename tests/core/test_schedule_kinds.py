"""The kinds of schedule beside cron and rrule, and what all kinds share."""

from datetime import UTC, datetime, timedelta
from time import process_time

import msgspec
import pytest

from rota.core.errors import Invalid
from rota.core.policy import Dst
from rota.core.schedule import (
    CalendarEntry,
    CalendarSchedule,
    CronSchedule,
    EventSchedule,
    ManualSchedule,
    OnceSchedule,
    Planned,
    RRuleSchedule,
    Schedule,
    ScheduleSpec,
    compile_schedule,
    occurrences,
)

ANCHOR = datetime(2027, 3, 1, tzinfo=UTC)
FYLR = Dst(gap="skip", fold="first", interval="wall")


def compiled(spec: ScheduleSpec | None, dst: Dst | None = None, default_timezone: str = "UTC") -> Schedule:
    return compile_schedule(spec, dst=dst or Dst(), anchor_at=ANCHOR, default_timezone=default_timezone)


def firings(spec: ScheduleSpec, after: datetime = ANCHOR, count: int = 3, *, dst: Dst | None = None) -> list[str]:
    return [f"{planned.at:%m-%d %H:%M:%S}" for planned in occurrences(compiled(spec, dst), after, count)]


@pytest.mark.parametrize("spec", [None, ManualSchedule(), EventSchedule("orders.paid")])
def test_what_no_clock_starts_is_never_due(spec: ScheduleSpec | None) -> None:
    assert compiled(spec).next_after(ANCHOR) is None


@pytest.mark.parametrize(
    ("spec", "at"),
    [
        (OnceSchedule(at="2027-03-14T09:00:00Z"), "2027-03-14T09:00:00+00:00"),
        (OnceSchedule(at="2027-03-14t09:00:00.5z"), "2027-03-14T09:00:00.500000+00:00"),
        (OnceSchedule(at="2027-03-14T09:00:00+05:30"), "2027-03-14T03:30:00+00:00"),
        (OnceSchedule(at="2027-03-14T09:00:00", timezone="Europe/Berlin"), "2027-03-14T08:00:00+00:00"),
        (OnceSchedule(at="2027-03-14T02:30:00", timezone="America/New_York"), "2027-03-14T07:00:00+00:00"),
        (OnceSchedule(at="2027-11-07T01:30:00.25", timezone="America/New_York"), "2027-11-07T05:30:00.250000+00:00"),
        (OnceSchedule(after_s=90.5), "2027-03-01T00:01:30.500000+00:00"),
    ],
)
def test_once_is_one_instant(spec: OnceSchedule, at: str) -> None:
    planned = compiled(spec).next_after(ANCHOR - timedelta(days=9))
    assert planned and planned.at.isoformat() == at
    assert compiled(spec).next_after(planned.at) is None


def test_a_moment_in_a_gap_is_shifted_or_moved_but_never_dropped() -> None:
    spec = OnceSchedule(at="2027-03-14T02:30:00", timezone="America/New_York")
    moved = [compiled(spec, Dst(gap=gap)).next_after(ANCHOR) for gap in ("end", "shift", "skip")]
    assert [f"{planned.at:%H:%M}" for planned in moved if planned] == ["07:00", "07:30", "07:00"]


def test_a_moment_in_the_past_is_still_its_one_instant() -> None:
    planned = compiled(OnceSchedule(at="2020-01-01T00:00:00Z")).next_after(datetime(2019, 1, 1, tzinfo=UTC))
    assert planned and planned.at.year == 2020


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({"hours": [3], "minutes": [0]}, ["03-01 03:00:00", "03-02 03:00:00", "03-03 03:00:00"]),
        ({"hours": [3]}, ["03-01 03:00:00", "03-01 03:01:00", "03-01 03:02:00"]),
        ({}, ["03-01 00:01:00", "03-01 00:02:00", "03-01 00:03:00"]),
        ({"days_of_month": [31], "hours": [0], "minutes": [0]}, ["03-31 00:00:00", "05-31 00:00:00", "07-31 00:00:00"]),
        (
            {"weekdays": ["saturday"], "days_of_month": [13], "hours": [9], "minutes": [5]},
            ["03-13 09:05:00", "11-13 09:05:00", "05-13 09:05:00"],
        ),
        ({"hours": [9], "minutes": [0], "timezone": "Asia/Tokyo"}, ["03-02 00:00:00", "03-03 00:00:00", "03-04 00:00:00"]),
    ],
)
def test_all_criteria_of_an_entry_hold_together(criteria: dict[str, object], expected: list[str]) -> None:
    assert firings(CalendarSchedule([msgspec.convert(criteria, CalendarEntry)])) == expected


def test_the_earliest_of_all_entries_is_next() -> None:
    entries = [CalendarEntry(hours=[12], minutes=[0]), CalendarEntry(hours=[12, 18], minutes=[0])]
    assert firings(CalendarSchedule(entries)) == ["03-01 12:00:00", "03-01 18:00:00", "03-02 12:00:00"]


@pytest.mark.parametrize(
    ("first_at", "expected"),
    [
        ("2027-03-01T15:30:10+00:00", ["03-01 15:30:10", "03-01 18:00:00", "03-02 12:00:00"]),
        ("2027-03-02T01:00:00+00:00", ["03-02 01:00:00", "03-02 12:00:00", "03-02 18:00:00"]),
        ("2027-02-01T00:00:00+00:00", ["03-01 12:00:00", "03-01 18:00:00", "03-02 12:00:00"]),
    ],
)
def test_a_calendar_may_begin_at_a_moment_of_its_own_and_a_passed_one_means_nothing(first_at: str, expected: list[str]) -> None:
    entries = [CalendarEntry(hours=[12, 18], minutes=[0])]
    assert firings(CalendarSchedule(entries, first_at=datetime.fromisoformat(first_at))) == expected


def test_calendar_times_in_a_gap_do_not_fire_and_repeated_ones_fire_once_under_the_calendar_policy() -> None:
    every_minute = CalendarSchedule([CalendarEntry(hours=[1, 2])], "America/New_York")
    spring, autumn = datetime(2027, 3, 14, 5, tzinfo=UTC), datetime(2027, 11, 7, 4, tzinfo=UTC)
    assert firings(every_minute, spring, 61, dst=FYLR)[59:] == ["03-14 06:59:00", "03-15 05:00:00"]
    assert firings(every_minute, autumn, 61, dst=FYLR)[59:] == ["11-07 05:59:00", "11-07 07:00:00"]


@pytest.mark.parametrize(
    ("spec", "location"),
    [
        (CronSchedule("0 0 * * *", "Europe/Berln"), "timezone"),
        (RRuleSchedule("FREQ=DAILY", ""), "timezone"),
        (RRuleSchedule("FREQ=DAILY", "../../etc/passwd"), "timezone"),
        (CronSchedule("0 0 * * *", "America"), "timezone"),
        (CronSchedule("0 0 * * *", "UTC\0"), "timezone"),
        (CronSchedule("0 0 * * *", "right/UTC"), "timezone"),
        (OnceSchedule(), "at"),
        (OnceSchedule(at="2027-01-01", after_s=1), "at"),
        (OnceSchedule(at="soon"), "at"),
        (OnceSchedule(at="2027-02-30T00:00:00"), "at"),
        (OnceSchedule(at="0001-01-01T00:00:00+14:00"), "at"),
        (OnceSchedule(at="9999-12-31T23:59:59-14:00"), "at"),
        (OnceSchedule(after_s=-1), "after_s"),
        (OnceSchedule(after_s=1e300), "after_s"),
        (OnceSchedule(after_s=float("nan")), "after_s"),
        (EventSchedule(""), "topic"),
        (EventSchedule("x" * 101), "topic"),
        (CalendarSchedule([]), "entries"),
        (CalendarSchedule([CalendarEntry(), CalendarEntry(hours=[24])]), "entries.1.hours"),
        (CalendarSchedule([CalendarEntry(minutes=[60])]), "entries.0.minutes"),
        (CalendarSchedule([CalendarEntry(days_of_month=[0])]), "entries.0.days_of_month"),
        (CalendarSchedule([CalendarEntry(weekdays=["mon"])]), "entries.0.weekdays"),
        (CalendarSchedule([CalendarEntry(timezone="Mars")]), "entries.0.timezone"),
        (CalendarSchedule([CalendarEntry()], "Mars"), "timezone"),
    ],
)
def test_a_refusal_names_the_place(spec: ScheduleSpec, location: str) -> None:
    with pytest.raises(Invalid) as refused:
        compiled(spec)
    assert [problem.location for problem in refused.value.problems] == [location]


def test_a_wrong_zone_suggests_the_nearest_name() -> None:
    with pytest.raises(Invalid) as refused:
        compiled(CronSchedule("0 0 * * *", "europe/berln"))
    assert refused.value.hint == "did you mean Europe/Berlin?"


def test_a_zone_that_is_refused_is_not_suggested() -> None:
    with pytest.raises(Invalid) as refused:
        compiled(CronSchedule("0 0 * * *", "localtime"))
    assert "localtime" not in str(refused.value.hint)


def test_a_schedule_without_a_zone_is_in_the_default_one() -> None:
    planned = compiled(CronSchedule("0 9 * * *"), default_timezone="Asia/Tokyo").next_after(ANCHOR)
    assert planned and planned.local.isoformat() == "2027-03-02T09:00:00+09:00"
    assert planned.at == planned.local and planned.at.tzinfo is UTC


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "cron", "expr": "0 0 * * *", "timezone": "UTC"},
        {"kind": "rrule", "expr": "FREQ=DAILY", "timezone": None},
        {"kind": "once", "at": "2027-01-01T00:00:00Z", "after_s": None, "timezone": None},
        {"kind": "event", "topic": "orders.paid"},
        {"kind": "manual"},
    ],
)
def test_a_document_comes_back_as_it_was(document: dict[str, object]) -> None:
    assert msgspec.to_builtins(msgspec.convert(document, ScheduleSpec)) == document


@pytest.mark.parametrize("document", [{"kind": "cron"}, {"kind": "moon"}, {"kind": "manual", "expr": "x"}, {"expr": "0 0 * * *"}])
def test_a_document_of_no_kind_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document, ScheduleSpec)


def test_occurrences_leave_out_the_suppressed() -> None:
    hourly = compiled(CronSchedule("0 * * * *", "America/New_York"), Dst(interval="wall"))
    planned = occurrences(hourly, datetime(2027, 11, 7, 4, 30, tzinfo=UTC), 2)
    assert [f"{found.at:%H:%M}" for found in planned] == ["05:00", "07:00"]


def test_occurrences_of_none_are_none() -> None:
    assert occurrences(compiled(CronSchedule("* * * * *")), ANCHOR, 0) == []
    assert occurrences(compiled(None), ANCHOR, 5) == []


@pytest.mark.parametrize("year", [1, 1900, 9989, 9999])
def test_moments_at_the_ends_of_time_are_answered(year: int) -> None:
    for spec in (CronSchedule("0 0 29 2 *", "Asia/Kolkata"), RRuleSchedule("FREQ=YEARLY"), CronSchedule("@every 9w")):
        planned = compiled(spec).next_after(datetime(year, 12, 31, 23, tzinfo=UTC))
        assert planned is None or isinstance(planned, Planned)


def test_a_thousand_schedules_compile_and_answer_at_once() -> None:
    start = process_time()
    for n in range(1_000):
        compiled(CronSchedule(f"{n % 60} {n % 24} * * *", "Europe/Berlin")).next_after(ANCHOR)
    assert process_time() - start < 0.5

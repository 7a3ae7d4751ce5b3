"""Cron expressions: grammar, matching, refusals. Clock changes are in test_schedule_clock_changes.py."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.depth import examples

from rota.core.errors import Invalid
from rota.core.policy import Dst
from rota.core.schedule import CronSchedule, Schedule, compile_schedule, occurrences

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)


def cron(expr: str, timezone: str | None = None, *, anchor_at: datetime = ANCHOR) -> Schedule:
    return compile_schedule(CronSchedule(expr, timezone), dst=Dst(), anchor_at=anchor_at)


def firings(expr: str, after: str, count: int = 3) -> list[str]:
    planned = occurrences(cron(expr), datetime.fromisoformat(after).replace(tzinfo=UTC), count)
    return [found.at.strftime("%Y-%m-%d %H:%M:%S") for found in planned]


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("*/20 * * * *", ["2026-01-01 00:20:00", "2026-01-01 00:40:00", "2026-01-01 01:00:00"]),
        ("5,10-12 8 * * *", ["2026-01-01 08:05:00", "2026-01-01 08:10:00", "2026-01-01 08:11:00"]),
        ("0 9-17/4 * * *", ["2026-01-01 09:00:00", "2026-01-01 13:00:00", "2026-01-01 17:00:00"]),
        ("50/5 0 * * *", ["2026-01-01 00:50:00", "2026-01-01 00:55:00", "2026-01-02 00:50:00"]),
        ("30 0 0 * * *", ["2026-01-01 00:00:30", "2026-01-02 00:00:30", "2026-01-03 00:00:30"]),
        ("*/25 * * * * *", ["2026-01-01 00:00:25", "2026-01-01 00:00:50", "2026-01-01 00:01:00"]),
        ("0 0 1 jan,Mar *", ["2026-03-01 00:00:00", "2027-01-01 00:00:00", "2027-03-01 00:00:00"]),
        ("0 0 * * sun", ["2026-01-04 00:00:00", "2026-01-11 00:00:00", "2026-01-18 00:00:00"]),
        ("0 0 * * 0", ["2026-01-04 00:00:00", "2026-01-11 00:00:00", "2026-01-18 00:00:00"]),
        ("0 0 * * 7", ["2026-01-04 00:00:00", "2026-01-11 00:00:00", "2026-01-18 00:00:00"]),
        ("0 0 * * 5-7", ["2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-04 00:00:00"]),
        ("0 0 * * SAT-SUN", ["2026-01-03 00:00:00", "2026-01-04 00:00:00", "2026-01-10 00:00:00"]),
        ("0 0 * * 1-5", ["2026-01-02 00:00:00", "2026-01-05 00:00:00", "2026-01-06 00:00:00"]),
        ("0 0 L * *", ["2026-01-31 00:00:00", "2026-02-28 00:00:00", "2026-03-31 00:00:00"]),
        ("0 0 15,last 2 *", ["2026-02-15 00:00:00", "2026-02-28 00:00:00", "2027-02-15 00:00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00", "2036-02-29 00:00:00"]),
        ("0 0 29 2 */6", ["2032-02-29 00:00:00", "2048-02-29 00:00:00", "2060-02-29 00:00:00"]),
        ("@yearly", ["2027-01-01 00:00:00", "2028-01-01 00:00:00", "2029-01-01 00:00:00"]),
        ("@annually", ["2027-01-01 00:00:00", "2028-01-01 00:00:00", "2029-01-01 00:00:00"]),
        ("@Monthly", ["2026-02-01 00:00:00", "2026-03-01 00:00:00", "2026-04-01 00:00:00"]),
        ("@weekly", ["2026-01-04 00:00:00", "2026-01-11 00:00:00", "2026-01-18 00:00:00"]),
        ("@daily", ["2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-04 00:00:00"]),
        ("@midnight", ["2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-04 00:00:00"]),
        ("@hourly", ["2026-01-01 01:00:00", "2026-01-01 02:00:00", "2026-01-01 03:00:00"]),
    ],
)
def test_it_fires_when_all_fields_match(expr: str, expected: list[str]) -> None:
    assert firings(expr, "2026-01-01T00:00:00") == expected


def test_day_of_month_and_day_of_week_both_restricted_fire_on_either() -> None:
    assert firings("0 0 13 * FRI", "2026-01-08T00:00:00") == ["2026-01-09 00:00:00", "2026-01-13 00:00:00", "2026-01-16 00:00:00"]


def test_a_day_field_that_starts_with_a_star_counts_as_unrestricted() -> None:
    assert firings("0 0 */2 * MON", "2026-01-01T00:00:00") == [
        "2026-01-05 00:00:00",
        "2026-01-19 00:00:00",
        "2026-02-09 00:00:00",
    ]


def test_an_impossible_date_beside_a_weekday_still_fires_on_the_weekday() -> None:
    assert firings("0 0 30 2 MON", "2026-02-01T00:00:00", 2) == ["2026-02-02 00:00:00", "2026-02-09 00:00:00"]


def test_the_answer_is_strictly_after_the_moment() -> None:
    at_noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    noon = cron("0 12 * * *")
    just_before, at, just_after = (noon.next_after(at_noon + timedelta(microseconds=n)) for n in (-1, 0, 1))
    assert just_before and just_before.at == at_noon
    assert at and just_after and at.at == just_after.at == at_noon + timedelta(days=1)


def test_every_counts_real_time_from_the_anchor() -> None:
    anchor_at = datetime(2026, 10, 25, 0, 10, 7, tzinfo=UTC)
    planned = occurrences(cron("@every 1h30m", "Europe/Berlin", anchor_at=anchor_at), anchor_at, 3)
    assert [found.at - anchor_at for found in planned] == [n * timedelta(minutes=90) for n in (1, 2, 3)]
    assert all(found.note is None and not found.suppressed for found in planned)


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("1s", timedelta(seconds=1)),
        ("90s", timedelta(seconds=90)),
        ("1.5h", timedelta(minutes=90)),
        ("1m1000ms", timedelta(seconds=61)),
        ("2d", timedelta(days=2)),
        ("1w12h", timedelta(days=7, hours=12)),
    ],
)
def test_every_reads_go_durations_and_days_and_weeks(text: str, interval: timedelta) -> None:
    planned = cron(f"@EVERY {text}").next_after(ANCHOR)
    assert planned and planned.at == ANCHOR + interval


def test_every_asked_before_its_anchor_answers_its_first_firing() -> None:
    planned = cron("@every 1h").next_after(ANCHOR - timedelta(days=400))
    assert planned and planned.at == ANCHOR + timedelta(hours=1)


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields"),
        ("* * * * * * *", "has 7 fields"),
        ("60 * * * *", "minute 60 is out of range; it goes from 0 to 59"),
        ("* 24 * * *", "hour 24 is out of range"),
        ("* * 0 * *", "day-of-month 0 is out of range"),
        ("* * 32 * *", "day-of-month 32 is out of range"),
        ("* * * 13 *", "month 13 is out of range"),
        ("* * * * 8", "day-of-week 8 is out of range"),
        ("60 * * * * *", "second 60 is out of range"),
        ("* * * FOO *", "month 'FOO' is not a number from 1 to 12"),
        ("* * * * MO", "day-of-week 'MO' is not a number"),
        ("*/0 * * * *", "minute step '0'"),
        ("*/x * * * *", "minute step 'X'"),
        ("*/ * * * *", "minute step ''"),
        ("1,,2 * * * *", "minute ''"),
        ("-5 * * * *", "minute ''"),
        ("5- * * * *", "minute ''"),
        ("²  * * * *", "minute '²'"),
        ("* 22-2 * * *", "write 22-23,0-2"),
        ("0 0 30 2 *", "never fires: day-of-month 30"),
        ("0 0 31 4,6,9,11 *", "never fires: day-of-month 31"),
        ("CRON_TZ=UTC 0 0 * * *", "give it as timezone"),
        ("TZ=UTC 0 0 * * *", "give it as timezone"),
        ("@reboot", "is not a macro"),
        ("@every", "is not a macro"),
        ("@every 500ms", "from 1s"),
        ("@every -1h", "is not a duration"),
        ("@every 1h30", "is not a duration"),
        ("@every 101y", "is not a duration"),
        ("@every 999999999999w", "out of range"),
        ("0," * 600 + "0 * * * *", "longer than 1000"),
    ],
)
def test_it_refuses_what_it_cannot_plan_and_says_what_would_be_right(expr: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        cron(expr)
    assert [problem.location for problem in refused.value.problems] == ["expr"]
    assert words in refused.value.problems[0].message


def a_field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.integers(low, high - 1).flatmap(lambda first: st.integers(first + 1, high).map(lambda last: f"{first}-{last}"))
    step = st.integers(1, 20 if high > 6 else 6)
    term = st.one_of(
        number.map(str), span, st.tuples(span, step).map(lambda pair: f"{pair[0]}/{pair[1]}"), step.map(lambda n: f"*/{n}")
    )
    return st.one_of(st.just("*"), term, st.lists(term, min_size=2, max_size=3).map(",".join))


EXPRESSIONS = st.tuples(a_field(0, 59), a_field(0, 23), a_field(1, 31), a_field(1, 12), a_field(0, 6)).map(" ".join)
MOMENTS = st.integers(1_500_000_000, 2_500_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))


@settings(max_examples=examples(100))
@given(EXPRESSIONS, MOMENTS)
def test_it_agrees_with_cronsim(expr: str, after: datetime) -> None:
    try:
        theirs = CronSim(expr, after)
    except CronSimError:
        with pytest.raises(Invalid):
            cron(expr)
    else:
        assert [planned.at for planned in occurrences(cron(expr), after, 3)] == list(islice(theirs, 3))

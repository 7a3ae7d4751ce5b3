"""Recurrence rules: RFC 5545 against dateutil, the contracts' readings of what is left out, refusals, the cost of a search."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from time import process_time
from typing import Any

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.depth import examples

from rota.core.errors import Invalid
from rota.core.policy import Dst
from rota.core.schedule import RRuleSchedule, Schedule, compile_schedule, occurrences

ANCHOR = datetime(2026, 1, 14, 9, 41, 37, 500_000, tzinfo=UTC)


def rule(expr: str, timezone: str | None = None, *, anchor_at: datetime = ANCHOR) -> Schedule:
    return compile_schedule(RRuleSchedule(expr, timezone), dst=Dst(), anchor_at=anchor_at)


def firings(expr: str, count: int = 4, *, after: datetime = ANCHOR) -> list[str]:
    return [f"{planned.at:%Y-%m-%d %H:%M:%S}" for planned in occurrences(rule(expr), after, count)]


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("FREQ=DAILY", ["2026-01-15 09:41:00", "2026-01-16 09:41:00"]),
        ("FREQ=DAILY;BYHOUR=17", ["2026-01-14 17:00:00", "2026-01-15 17:00:00"]),
        ("FREQ=DAILY;BYHOUR=9,18", ["2026-01-14 18:00:00", "2026-01-15 09:00:00"]),
        ("FREQ=DAILY;BYMINUTE=5", ["2026-01-15 09:05:00", "2026-01-16 09:05:00"]),
        ("FREQ=WEEKLY", ["2026-01-21 09:41:00", "2026-01-28 09:41:00"]),
        ("FREQ=MONTHLY", ["2026-02-14 09:41:00", "2026-03-14 09:41:00"]),
        ("FREQ=YEARLY", ["2027-01-14 09:41:00", "2028-01-14 09:41:00"]),
        ("FREQ=HOURLY", ["2026-01-14 10:41:00", "2026-01-14 11:41:00"]),
        ("FREQ=HOURLY;BYHOUR=12,13", ["2026-01-14 12:00:00", "2026-01-14 13:00:00"]),
        ("FREQ=MINUTELY;INTERVAL=20", ["2026-01-14 10:01:00", "2026-01-14 10:21:00"]),
        ("FREQ=SECONDLY;INTERVAL=30", ["2026-01-14 09:42:07", "2026-01-14 09:42:37"]),
        ("FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1;BYHOUR=0", ["2026-04-01 00:00:00", "2026-07-01 00:00:00"]),
        ("DTSTART:20260214T000000\nRRULE:FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1", ["2026-05-01 00:00:00", "2026-08-01 00:00:00"]),
        ("FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=1;BYHOUR=0", ["2026-06-01 00:00:00", "2026-11-01 00:00:00"]),
        ("FREQ=MONTHLY;BYDAY=1SA,WE;BYSETPOS=1;BYHOUR=0", ["2026-02-04 00:00:00", "2026-03-04 00:00:00"]),
        ("FREQ=MONTHLY;BYDAY=1SU,WE;BYSETPOS=1;BYHOUR=0", ["2026-02-01 00:00:00", "2026-03-01 00:00:00"]),
        ("FREQ=YEARLY;BYWEEKNO=20", ["2026-05-13 09:41:00", "2027-05-19 09:41:00"]),
    ],
)
def test_what_a_rule_does_not_say_comes_from_the_anchor(expr: str, expected: list[str]) -> None:
    assert firings(expr, 2) == expected


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("rrule:freq=daily;byhour=0;until=20260116", ["2026-01-15 00:00:00", "2026-01-16 00:00:00"]),
        ("FREQ=DAILY;BYHOUR=0;UNTIL=20260116T000000", ["2026-01-15 00:00:00", "2026-01-16 00:00:00"]),
        ("FREQ=DAILY;BYHOUR=0;UNTIL=20260115T235959Z", ["2026-01-15 00:00:00"]),
        ("FREQ=DAILY;BYHOUR=9;COUNT=2", ["2026-01-15 09:00:00", "2026-01-16 09:00:00"]),
        ("FREQ=DAILY;COUNT=3\nEXDATE:20260116T094100", ["2026-01-15 09:41:00", "2026-01-17 09:41:00"]),
        ("FREQ=DAILY;COUNT=3\nEXDATE;VALUE=DATE:20260115,20260117", ["2026-01-16 09:41:00"]),
        ("RDATE:20260120T080000Z,20260118T080000", ["2026-01-18 08:00:00", "2026-01-20 08:00:00"]),
        ("FREQ=DAILY;COUNT=4\nEXRULE:FREQ=DAILY;INTERVAL=2", ["2026-01-15 09:41:00", "2026-01-17 09:41:00"]),
        ("FREQ=DAILY;COUNT=1\nRRULE:FREQ=WEEKLY;COUNT=1", ["2026-01-15 09:41:00", "2026-01-21 09:41:00"]),
        ("DTSTART;TZID=America/New_York:20260120T090015\r\nRRULE:FREQ=DAILY;COUNT=1", ["2026-01-20 14:00:15"]),
        ("DTSTART:20260120T090000Z\nRRULE:FREQ=DAI\n LY;COUNT=1", ["2026-01-20 09:00:00"]),
        ("DTSTART;VALUE=DATE:20260120\nFREQ=DAILY;COUNT=1", ["2026-01-20 00:00:00"]),
    ],
)
def test_it_reads_all_lines_and_bounds(expr: str, expected: list[str]) -> None:
    assert firings(expr) == expected


def test_count_runs_out_however_late_one_asks() -> None:
    thrice = rule("FREQ=HOURLY;COUNT=3")
    assert [f"{planned.at:%H:%M}" for planned in occurrences(thrice, ANCHOR - timedelta(days=9), 9)] == [
        "10:41",
        "11:41",
        "12:41",
    ]
    assert thrice.next_after(ANCHOR + timedelta(days=9)) is None


def test_a_date_that_february_lacks_waits_for_the_next_month() -> None:
    assert firings("FREQ=MONTHLY;BYMONTHDAY=31;BYHOUR=0", 3) == [
        "2026-01-31 00:00:00",
        "2026-03-31 00:00:00",
        "2026-05-31 00:00:00",
    ]


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("", "has no rule"),
        ("DTSTART:20260101T000000", "has no rule"),
        ("BYHOUR=9", "has no FREQ"),
        ("FREQ=FORTNIGHTLY", "is not one of YEARLY"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL '0' is out of range"),
        ("FREQ=DAILY;INTERVAL=99999999999", "INTERVAL '99999999999' is out of range"),
        ("FREQ=DAILY;COUNT=0", "COUNT '0'"),
        ("DTSTART:99990101T000000Z\nRRULE:FREQ=MONTHLY", "too near to an end of time"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "exclude each other"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL 'TOMORROW'"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL '20270230'"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY 'XX'"),
        ("FREQ=MONTHLY;BYDAY=6MO", "from 1 to 5"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY '0MO'"),
        ("FREQ=YEARLY;BYDAY=54MO", "from 1 to 53"),
        ("FREQ=WEEKLY;BYDAY=1MO", "needs FREQ=MONTHLY or YEARLY"),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "beside BYWEEKNO"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO needs FREQ=YEARLY"),
        ("FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY"),
        ("FREQ=DAILY;BYMONTH=13", "BYMONTH '13'"),
        ("FREQ=DAILY;BYMONTH=-1", "BYMONTH '-1'"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR '24'"),
        ("FREQ=DAILY;BYSETPOS=1", "BYSETPOS needs"),
        ("FREQ=DAILY;BYEASTER=0", "unknown part 'BYEASTER'"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ is given twice"),
        ("FREQ=DAILY;;BYHOUR=1", "is not a part"),
        ("FREQ", "is not a part"),
        ("DTSTART:20260101T000000\nDTSTART:20260101T000000\nFREQ=DAILY", "DTSTART is given twice"),
        ("DTSTART;X=1:20260101T000000\nFREQ=DAILY", "parameter 'X=1'"),
        ("DTSTART;TZID=Nowhere/City:20260101T000000\nFREQ=DAILY", "not a known time zone"),
        ("ATTENDEE:me\nFREQ=DAILY", "unknown line 'ATTENDEE'"),
        ("\n".join(["FREQ=DAILY"] * 11), "more than 10 rules"),
        ("FREQ=DAILY;COUNT=20000", "COUNT=20000 takes too long"),
        ("FREQ=DAILY;UNTIL=20250101", "never fires"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never fires"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", "never fires"),
        ("FREQ=DAILY\nEXRULE:FREQ=DAILY", "never fires"),
        ("FREQ=MINUTELY\nEXRULE:FREQ=MINUTELY", "EXRULE cannot be finer"),
        ("FREQ=DAILY;BYHOUR=" + "1," * 6_000, "longer than 10000"),
    ],
)
def test_it_refuses_what_it_cannot_plan_and_says_what_would_be_right(expr: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        rule(expr)
    assert [problem.location for problem in refused.value.problems] == ["expr"]
    assert words in refused.value.problems[0].message


PARTS: dict[str, st.SearchStrategy[list[Any]]] = {
    "BYMONTH": st.lists(st.integers(1, 12), min_size=1, max_size=4),
    "BYMONTHDAY": st.lists(st.integers(-31, 31).filter(bool), min_size=1, max_size=4),
    "BYYEARDAY": st.lists(st.integers(-366, 366).filter(bool), min_size=1, max_size=6),
    "BYWEEKNO": st.lists(st.integers(1, 53), min_size=1, max_size=4),
    "BYDAY": st.lists(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, max_size=4),
    "BYHOUR": st.lists(st.integers(0, 23), min_size=1, max_size=3),
    "BYMINUTE": st.lists(st.integers(0, 59), min_size=1, max_size=3),
    "BYSECOND": st.lists(st.integers(0, 59), min_size=1, max_size=2),
}
DAY_PARTS = {
    "YEARLY": ["BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYDAY"],
    "MONTHLY": ["BYMONTH", "BYMONTHDAY", "BYDAY"],
    "WEEKLY": ["BYMONTH", "BYDAY"],
    "DAILY": ["BYMONTH", "BYMONTHDAY", "BYDAY"],
    "HOURLY": ["BYDAY"],
    "MINUTELY": ["BYDAY"],
}


@st.composite
def rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(list(DAY_PARTS)))
    names = draw(st.lists(st.sampled_from([*DAY_PARTS[freq], "BYHOUR", "BYMINUTE", "BYSECOND"]), unique=True, max_size=3))
    values = {name: ",".join(map(str, draw(PARTS[name]))) for name in names}
    if freq == "YEARLY" and draw(st.booleans()):
        # RFC 5545 takes a missing weekday from the start, dateutil takes the whole week.
        values |= {"BYWEEKNO": ",".join(map(str, draw(PARTS["BYWEEKNO"]))), "BYDAY": "MO,SU"}
    elif freq in ("YEARLY", "MONTHLY") and draw(st.booleans()):
        values["BYDAY"] = draw(st.sampled_from(["1MO", "-1FR", "2TU,-2TU"]))
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 5))}", f"WKST={draw(st.sampled_from(['MO', 'SU', 'TH']))}"]
    if values and freq in ("YEARLY", "MONTHLY", "DAILY") and draw(st.booleans()):
        parts.append(f"BYSETPOS={draw(st.sampled_from(['1', '-1', '2,-2', '3']))}")
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 5))}")
    return ";".join([*parts, *(f"{name}={value}" for name, value in values.items())])


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("FREQ=HOURLY;COUNT=3;BYMINUTE=0,1", ["17:00", "17:01", "18:00"]),
        ("FREQ=HOURLY;COUNT=3", ["16:53", "17:53", "18:53"]),
        ("FREQ=MINUTELY;COUNT=3;BYMINUTE=5", ["17:05", "18:05", "19:05"]),
        ("FREQ=MINUTELY;COUNT=3", ["16:53", "16:54", "16:55"]),
        ("FREQ=SECONDLY;COUNT=2;BYSECOND=20", ["16:53", "16:54"]),
    ],
)
def test_a_count_counts_every_match(text: str, minutes: list[str]) -> None:
    planned = occurrences(rule(f"DTSTART:20140513T165320\nRRULE:{text}"), datetime(2014, 5, 12, tzinfo=UTC), 9)
    assert [slot.at.strftime("%H:%M") for slot in planned] == minutes


@settings(max_examples=examples(60))
@given(rules(), st.integers(1_400_000_000, 1_900_000_000))
def test_it_agrees_with_dateutil(text: str, second: int) -> None:
    start = datetime.fromtimestamp(second, UTC)
    expr = f"DTSTART:{start:%Y%m%dT%H%M%S}\nRRULE:{text}"
    try:
        ours = [planned.at.replace(tzinfo=None) for planned in occurrences(rule(expr), start - timedelta(days=1), 4)]
    except Invalid:
        ours = []
    # dateutil walks from the start, for years if need be: what it takes long to find is not compared.
    near = start.replace(tzinfo=None) + timedelta(days=20 if "HOURLY" in text or "MINUTELY" in text else 1_500)
    if ours and ours[-1] < near:
        assert ours == list(islice(rrulestr(expr), len(ours)))


@pytest.mark.parametrize(
    "expr",
    [
        "FREQ=SECONDLY",
        "FREQ=SECONDLY;INTERVAL=7",
        "FREQ=SECONDLY;COUNT=900000000",
        "FREQ=SECONDLY;INTERVAL=86399;BYHOUR=23;BYMINUTE=30",
        "FREQ=MINUTELY;INTERVAL=7;BYMONTH=1;BYHOUR=9",
        "FREQ=MINUTELY\nEXRULE:FREQ=DAILY;BYHOUR=12",
        "FREQ=HOURLY;INTERVAL=5",
        "FREQ=DAILY",
        "FREQ=DAILY;COUNT=9000",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,FR",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
    ],
)
def test_a_rule_with_an_old_start_is_answered_at_once(expr: str) -> None:
    schedule = rule(f"DTSTART:20060101T000000\n{expr}", "Europe/Berlin")
    start = process_time()
    schedule.next_after(datetime(2026, 6, 1, 12, tzinfo=UTC))
    assert process_time() - start < 0.3


@pytest.mark.parametrize(
    "expr",
    [
        "FREQ=SECONDLY;INTERVAL=3600;BYMINUTE=30",
        "FREQ=SECONDLY;INTERVAL=86399;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;BYHOUR=3",
        "FREQ=YEARLY;BYDAY=MO;BYSETPOS=60",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "\nEXRULE:".join(["FREQ=DAILY;BYHOUR=3,4,5"] * 10),
    ],
)
def test_a_search_without_end_gives_up_soon(expr: str) -> None:
    start = process_time()
    with pytest.raises(Invalid, match="never fires"):
        rule(f"DTSTART:20060101T000000\n{expr}")
    assert process_time() - start < 0.5


@pytest.mark.parametrize("timezone", ["Asia/Tokyo", "UTC", "America/New_York"])
@pytest.mark.parametrize(
    "expr",
    [
        "FREQ=YEARLY;UNTIL=99991231T235959Z",
        "FREQ=YEARLY;BYMONTH=1\nRDATE:99991231T235959Z",
        "DTSTART:00010101T000000Z\nRRULE:FREQ=YEARLY",
    ],
)
def test_moments_at_the_ends_of_time_mean_for_ever_in_every_zone(expr: str, timezone: str) -> None:
    planned = rule(expr, timezone).next_after(ANCHOR)
    assert planned is not None
    assert planned.at < datetime(2027, 2, 1, tzinfo=UTC)

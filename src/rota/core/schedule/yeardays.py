"""Sets of days as numbers: bit i of a year's set is its day i, counted from 0. Days are numbered from 1970-01-01."""

from collections.abc import Callable, Iterable
from datetime import date
from functools import lru_cache

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
LAST_YEAR = 9990
LONGEST_SEARCH_Y = 1_000
YEARS_KEPT = 8
MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
EVERY_7TH = sum(1 << day for day in range(0, 378, 7))
THURSDAY = 3


@lru_cache(maxsize=1024)
def first_day(year: int) -> int:
    """The number of 1 January."""
    return date(year, 1, 1).toordinal() - EPOCH_ORDINAL


def year_of(day: int) -> int:
    return date.fromordinal(day + EPOCH_ORDINAL).year


def weekday_of(day: int) -> int:
    """Monday is 0."""
    return (day + THURSDAY) % 7


@lru_cache(maxsize=1024)
def month_spans(year: int) -> tuple[tuple[int, int], ...]:
    """First day (within the year) and length of each month."""
    spans, start = [], 0
    for index, length in enumerate(MONTH_LENGTHS):
        days = length + (index == 1 and first_day(year + 1) - first_day(year) == 366)
        spans.append((start, days))
        start += days
    return tuple(spans)


def month_of(day: int) -> tuple[int, int, int]:
    """The month (1-12) in which a day lies, the month's first day and its length."""
    year = year_of(day)
    new_year = first_day(year)
    within = ((month, new_year + start, length) for month, (start, length) in enumerate(month_spans(year), 1))
    return next(span for span in within if day < span[1] + span[2])


def all_days(year: int) -> int:
    return (1 << (first_day(year + 1) - first_day(year))) - 1


def in_months(year: int, months: int) -> int:
    """Days of the months given as bits 1-12."""
    days = 0
    for month, (start, length) in enumerate(month_spans(year), 1):
        if months >> month & 1:
            days |= ((1 << length) - 1) << start
    return days


def on_monthdays(year: int, monthdays: int, from_end: Iterable[int] = ()) -> int:
    """Days of the month given as bits 1-31, and as numbers counted from the month's end (1 is the last day)."""
    days = 0
    for start, length in month_spans(year):
        days |= (monthdays >> 1 & ((1 << length) - 1)) << start
        for back in from_end:
            if back <= length:
                days |= 1 << (start + length - back)
    return days


def on_weekdays(year: int, weekdays: int) -> int:
    """Weekdays given as bits 0-6, Monday 0."""
    january_1 = weekday_of(first_day(year))
    days = 0
    for weekday in range(7):
        if weekdays >> weekday & 1:
            days |= EVERY_7TH << ((weekday - january_1) % 7)
    return days & all_days(year)


def nth_day(days: int, n: int) -> int:
    """The n-th day of a set as a set of its own, from 1, or from -1 for the last; the empty set if there are fewer."""
    position = n - 1 if n > 0 else days.bit_count() + n
    if not 0 <= position < days.bit_count():
        return 0
    for _ in range(position):
        days &= days - 1
    return days & -days


def every_nth(year: int, first: int, step: int, run: int = 1) -> int:
    """`run` days in a row, every `step` days, in phase with the day numbered `first`."""
    start, length = first_day(year), first_day(year + 1) - first_day(year)
    begin = (first - start) % step - step
    days = 0
    for offset in range(begin, length, step):
        block = (1 << run) - 1
        days |= block << offset if offset >= 0 else block >> -offset
    return days & all_days(year)


def week_1(year: int, week_start: int) -> int:
    """The first day of the first week with at least four days in the year."""
    new_year = first_day(year)
    into_week = (weekday_of(new_year) - week_start) % 7
    return new_year - into_week + (7 if into_week > 3 else 0)


class Days:
    """Which days match, from a function that gives the set of any year."""

    def __init__(self, build: Callable[[int], int]) -> None:
        self._build = build
        self._years: dict[int, int] = {}

    def of_year(self, year: int) -> int:
        days = self._years.get(year)
        if days is None:
            if len(self._years) >= YEARS_KEPT:
                self._years.clear()
            days = self._years[year] = self._build(year)
        return days

    def at_or_after(self, day: int) -> int | None:
        """The first matching day; None when there is none within a thousand years."""
        year = year_of(day)
        last = min(year + LONGEST_SEARCH_Y, LAST_YEAR)
        while year <= last:
            start = first_day(year)
            days = self.of_year(year) >> max(day - start, 0)
            if days:
                return max(day, start) + (days & -days).bit_length() - 1
            year += 1
        return None

    def between(self, start: int, end: int) -> int:
        """The matching days from `start` up to `end`, at most a year later; bit 0 is `start`."""
        year = year_of(start)
        days = self.of_year(year) >> (start - first_day(year))
        following = first_day(year + 1)
        if end > following:
            days |= self.of_year(year + 1) << (following - start)
        return days & ((1 << (end - start)) - 1)

"""Criteria on the calendar and the clock, all of which must hold: the form of fylr's `schedules`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from msgspec import Meta, Struct

from rota.core.errors import Invalid, Problem
from rota.core.schedule.daytimes import ClockTimes, DayTimes, bits
from rota.core.schedule.planned import Planned, Schedule, Terms
from rota.core.schedule.wall import WallSchedule
from rota.core.schedule.yeardays import Days, on_monthdays, on_weekdays
from rota.core.schedule.zone import ZoneClock, get_clock

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST_ENTRIES = 100
FULL_WEEK, FULL_MONTH = 0x7F, 0xFFFFFFFE


class CalendarEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """Matches at second 0 where every criterion holds; an empty or missing list holds always, so `{}` is every minute.

    days_of_month 1-31 · weekdays by full lower-case name · hours 0-23 · minutes 0-59 · timezone: else that of the schedule
    """

    days_of_month: list[int] = []
    weekdays: list[str] = []
    hours: list[int] = []
    minutes: list[int] = []
    timezone: str | None = None

    def compile(self, terms: Terms, default_timezone: str, location: str) -> Schedule:
        self._check(location)
        name = default_timezone if self.timezone is None else self.timezone
        clock = get_clock(name, f"{location}.timezone" if self.timezone is not None else "timezone")
        weekdays = bits(map(WEEKDAYS.index, self.weekdays)) or FULL_WEEK
        monthdays = bits(self.days_of_month) or FULL_MONTH
        times = ClockTimes(bits(self.hours) or (1 << 24) - 1, bits(self.minutes) or (1 << 60) - 1, 1)
        pattern = DayTimes(Days(partial(_days_of_year, monthdays, weekdays)), times)
        return WallSchedule(pattern, clock, terms.dst, interval_like=not self.hours or not self.minutes)

    def _check(self, location: str) -> None:
        problems = [
            *_out_of_range(self.days_of_month, 1, 31, f"{location}.days_of_month"),
            *_out_of_range(self.hours, 0, 23, f"{location}.hours"),
            *_out_of_range(self.minutes, 0, 59, f"{location}.minutes"),
        ]
        unknown = [day for day in self.weekdays if day not in WEEKDAYS]
        if unknown:
            problems.append(Problem(f"{location}.weekdays", f"{unknown[0]!r} is not one of {', '.join(WEEKDAYS)}", unknown[0]))
        if problems:
            raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)


class CalendarSchedule(Struct, frozen=True, tag_field="kind", tag="calendar", forbid_unknown_fields=True):
    """Due whenever any of the entries matches.

    first_at  the first time is this moment, whether anything matches then or not, and nothing is due before; once it has passed
              it means nothing
    """

    entries: list[CalendarEntry]
    timezone: str | None = None
    first_at: Annotated[datetime, Meta(tz=True)] | None = None

    def compile(self, terms: Terms) -> Schedule:
        """Raises Invalid at `entries`, `entries.<n>.<criterion>`, `timezone` or `first_at`."""
        if not 1 <= len(self.entries) <= MOST_ENTRIES:
            raise Invalid.at("entries", f"give from 1 to {MOST_ENTRIES} entries", len(self.entries))
        timezone = terms.default_timezone if self.timezone is None else self.timezone
        clock = get_clock(timezone)
        plans = [entry.compile(terms, timezone, f"entries.{index}") for index, entry in enumerate(self.entries)]
        plan = plans[0] if len(plans) == 1 else Earliest(plans)
        return plan if self.first_at is None else Beginning(_first(self.first_at, clock), plan)


class Earliest:
    """Several plans as one. An instant that one of them runs is not suppressed by another."""

    def __init__(self, plans: Sequence[Schedule]) -> None:
        self._plans = plans

    def next_after(self, moment: datetime) -> Planned | None:
        planned = [found for plan in self._plans if (found := plan.next_after(moment)) is not None]
        return min(planned, key=lambda found: (found.at, found.suppressed), default=None)


class Beginning:
    """One instant, and behind it a plan."""

    def __init__(self, first: Planned, plan: Schedule) -> None:
        self._first = first
        self._plan = plan

    def next_after(self, moment: datetime) -> Planned | None:
        return self._first if moment < self._first.at else self._plan.next_after(moment)


def _first(at: datetime, clock: ZoneClock) -> Planned:
    try:
        return Planned(at.astimezone(UTC), at.astimezone(clock.zone))
    except OverflowError:
        raise Invalid.at("first_at", "is at the end of the calendar", at.isoformat()) from None


def _out_of_range(numbers: list[int], low: int, high: int, location: str) -> list[Problem]:
    wrong = [number for number in numbers if not low <= number <= high]
    return [Problem(location, f"{wrong[0]} is out of range; it goes from {low} to {high}", wrong[0])] if wrong else []


def _days_of_year(monthdays: int, weekdays: int, year: int) -> int:
    return on_monthdays(year, monthdays) & on_weekdays(year, weekdays)

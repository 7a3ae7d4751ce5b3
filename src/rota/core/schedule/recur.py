"""The wall times of one recurrence rule, found by arithmetic on sets of days, never by walking from its start."""

from collections.abc import Iterable
from functools import partial
from itertools import product

from msgspec.structs import replace

from rota.core.schedule import yeardays
from rota.core.schedule.daytimes import ClockTimes, DayTimes, ListedTimes, bits
from rota.core.schedule.recurdays import UNITS_S, days_of_year, with_day_parts
from rota.core.schedule.rruletext import BadRule, Rule, is_plain
from rota.core.schedule.wall import WallPattern
from rota.core.schedule.yeardays import Days
from rota.core.schedule.zone import DAY_S

ALL_HOURS, ALL_60 = (1 << 24) - 1, (1 << 60) - 1
MOST_STEPS = 5_000  # some 12 ms
MOST_COUNTED = 10_000
LONGEST_SEARCH_S = 100 * 366 * DAY_S
LONGEST_CHOICE_S = 400 * 366 * DAY_S


class Exhausted(Exception):
    """A search has used up its steps."""


class Steps:
    """What the parts of one recurrence may spend together on one question."""

    def __init__(self) -> None:
        self.left = 0
        self.renew()

    def renew(self) -> None:
        self.left = MOST_STEPS

    def spend(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise Exhausted


class Budgeted:
    """A whole recurrence: each question starts with all steps, and what is not found with them does not exist."""

    def __init__(self, inner: WallPattern, steps: Steps) -> None:
        self._inner, self._steps = inner, steps

    def next_wall(self, wall_s: int) -> int | None:
        self._steps.renew()
        try:
            return self._inner.next_wall(wall_s)
        except Exhausted:
            return None


class Phased:
    """Of a finer pattern, what lies in every n-th unit of time counted from the start."""

    def __init__(self, inner: WallPattern, rule: Rule, start_s: int, steps: Steps) -> None:
        self._inner, self._interval, self._steps = inner, rule.interval, steps
        self._unit_s = UNITS_S[rule.freq]
        self._first = start_s // self._unit_s

    def next_wall(self, wall_s: int) -> int | None:
        horizon = wall_s + LONGEST_SEARCH_S
        while (found := self._inner.next_wall(wall_s)) is not None and found <= horizon:
            self._steps.spend()
            unit = found // self._unit_s
            late = (unit - self._first) % self._interval
            if late == 0:
                return found
            wall_s = (unit + self._interval - late) * self._unit_s
        return None


class Positions:
    """Of all matches within a week, month or year, those at given places, counted from 1 or from -1 for the last."""

    def __init__(self, rule: Rule, days: Days, steps: Steps) -> None:
        self._rule, self._days, self._steps = rule, days, steps
        self._times = _seconds_of_day(rule.hours, rule.minutes, rule.seconds)

    def next_wall(self, wall_s: int) -> int | None:
        day = self._days.at_or_after(self._period(wall_s // DAY_S)[0])
        horizon = (wall_s + LONGEST_CHOICE_S) // DAY_S
        while day is not None and day <= horizon:
            self._steps.spend()
            start, end = self._period(day)
            found = [wall for wall in self._chosen(start, end) if wall >= wall_s]
            if found:
                return min(found)
            day = self._days.at_or_after(end)
        return None

    def _period(self, day: int) -> tuple[int, int]:
        if self._rule.freq == "WEEKLY":
            start = day - (yeardays.weekday_of(day) - self._rule.week_start) % 7
            return start, start + 7
        if self._rule.freq == "YEARLY":
            year = yeardays.year_of(day)
            return yeardays.first_day(year), yeardays.first_day(year + 1)
        _, start, length = yeardays.month_of(day)
        return start, start + length

    def _chosen(self, start: int, end: int) -> Iterable[int]:
        days = self._days.between(start, end)
        total = days.bit_count() * len(self._times)
        for position in self._rule.positions:
            index = position - 1 if position > 0 else total + position
            if 0 <= index < total:
                nth, time = divmod(index, len(self._times))
                yield (start + yeardays.nth_day(days, nth + 1).bit_length() - 1) * DAY_S + self._times[time]


class Bounded:
    """A pattern from a first wall time to a last one, both included."""

    def __init__(self, inner: WallPattern, start_s: int, last_s: int | None) -> None:
        self._inner, self._start_s, self._last_s = inner, start_s, last_s

    def next_wall(self, wall_s: int) -> int | None:
        found = self._inner.next_wall(max(wall_s, self._start_s))
        return found if found is None or self._last_s is None or found <= self._last_s else None


def compile_rule(rule: Rule, start_s: int, *, from_s: int, by_january: bool, steps: Steps) -> WallPattern:
    """The pattern of a rule without UNTIL.

    rule        with the time parts filled in that its frequency needs
    start_s     wall time that gives phase and missing day parts
    from_s      nothing matches before it, and COUNT counts from it
    by_january  months are counted from January instead of the start's month
    Raises BadRule when COUNT cannot be counted out.
    """
    start = start_s // DAY_S
    rule = with_day_parts(rule, start)
    days = Days(partial(days_of_year, rule, start, by_january))
    pattern = _timed(rule, days, start_s, steps)
    return Bounded(pattern, from_s, _last_of_count(rule, pattern, from_s, steps))


def _timed(rule: Rule, days: Days, start_s: int, steps: Steps) -> WallPattern:
    if rule.positions and rule.freq in ("YEARLY", "MONTHLY", "WEEKLY"):
        return Positions(rule, days, steps)
    if rule.positions:
        # The periods of a finer frequency are all alike, so their positions are chosen once.
        pattern = DayTimes(days, ListedTimes(_chosen_seconds(rule)))
    else:
        hours, minutes, seconds = bits(rule.hours) or ALL_HOURS, bits(rule.minutes) or ALL_60, bits(rule.seconds) or ALL_60
        pattern = DayTimes(days, ClockTimes(hours, minutes, seconds))
    return Phased(pattern, rule, start_s, steps) if rule.interval > 1 and rule.freq in UNITS_S else pattern


def _chosen_seconds(rule: Rule) -> list[int]:
    hours, minutes, seconds = rule.hours or range(24), rule.minutes or range(60), rule.seconds or range(60)
    if rule.freq == "DAILY":
        return _at_positions(_seconds_of_day(hours, minutes, seconds), rule.positions)
    if rule.freq == "HOURLY":
        periods = [_seconds_of_day((hour,), minutes, seconds) for hour in hours]
    elif rule.freq == "MINUTELY":
        periods = [_seconds_of_day((hour,), (minute,), seconds) for hour, minute in product(hours, minutes)]
    else:
        periods = [[second] for second in _seconds_of_day(hours, minutes, seconds)]
    return [second for period in periods for second in _at_positions(period, rule.positions)]


def _seconds_of_day(hours: Iterable[int], minutes: Iterable[int], seconds: Iterable[int]) -> list[int]:
    return [hour * 3600 + minute * 60 + second for hour, minute, second in product(hours, minutes, seconds)]


def _at_positions(seconds: list[int], positions: Iterable[int]) -> list[int]:
    places = {position - 1 if position > 0 else len(seconds) + position for position in positions}
    return [seconds[place] for place in sorted(places) if 0 <= place < len(seconds)]


def _last_of_count(rule: Rule, pattern: WallPattern, from_s: int, steps: Steps) -> int | None:
    if rule.count is None:
        return None
    steps.renew()
    try:
        first = pattern.next_wall(from_s)
        if first is None:
            return from_s - 1
        if _is_one_a_unit(rule):
            return first + (rule.count - 1) * rule.interval * UNITS_S[rule.freq]
        if rule.count > MOST_COUNTED:
            raise Exhausted
        return _nth(pattern, first, rule.count)
    except Exhausted:
        raise BadRule(
            f"COUNT={rule.count} takes too long to count out; above {MOST_COUNTED} it is counted only "
            "for HOURLY, MINUTELY and SECONDLY without BY parts. Use UNTIL"
        ) from None


def _is_one_a_unit(rule: Rule) -> bool:
    """Whether the rule matches exactly once in each of its hours, minutes or seconds, so that counting is a multiplication."""
    finer = {"HOURLY": 2, "MINUTELY": 1, "SECONDLY": 0}.get(rule.freq)
    if finer is None or not is_plain(replace(rule, minutes=(), seconds=())):
        return False
    given = [len(rule.minutes), len(rule.seconds)]
    return all(count == 1 for count in given[2 - finer :]) and not any(given[: 2 - finer])


def _nth(pattern: WallPattern, first: int, count: int) -> int:
    """The count-th match from the first on, or the last one if there are fewer."""
    last = first
    for _ in range(count - 1):
        following = pattern.next_wall(last + 1)
        if following is None:
            break
        last = following
    return last

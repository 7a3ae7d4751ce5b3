"""Recurrence rules of RFC 5545, with its DTSTART, RDATE, EXDATE and EXRULE lines."""

from bisect import bisect_left
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from rota.core.errors import Invalid
from rota.core.schedule.planned import Schedule, Terms
from rota.core.schedule.recur import Bounded, Budgeted, Steps, compile_rule
from rota.core.schedule.recurdays import UNITS_S
from rota.core.schedule.rruletext import BadRule, Moment, Recurrence, Rule, parse_recurrence
from rota.core.schedule.wall import WallPattern, WallSchedule, wall_of, wall_seconds
from rota.core.schedule.zone import DAY_S, ZoneClock, get_clock

LONGEST_EXPR = 10_000


class RRuleSchedule(Struct, frozen=True, tag_field="kind", tag="rrule", forbid_unknown_fields=True):
    """`expr`: `FREQ=…`, with or without `RRULE:`, and optional further lines; case does not matter.

    Phase, COUNT and missing parts count from DTSTART or, without it, from the anchor; then minutes and seconds that are not
    written are 0, the time of day is the anchor's only if no time part is written, and a MONTHLY rule whose INTERVAL divides 12
    counts its months from January. A TZID on DTSTART goes before `timezone`. A date-only UNTIL includes that day.
    """

    expr: str
    timezone: str | None = None

    def compile(self, terms: Terms) -> Schedule:
        """Raises Invalid at `expr` or `timezone`."""
        clock = get_clock(terms.default_timezone if self.timezone is None else self.timezone)
        try:
            if len(self.expr) > LONGEST_EXPR:
                raise BadRule(f"is longer than {LONGEST_EXPR} characters")
            recurrence = parse_recurrence(self.expr)
            if recurrence.start and recurrence.start.zone:
                clock = get_clock(recurrence.start.zone, "expr")
            pattern = _pattern(recurrence, clock, terms.anchor_at)
        except BadRule as error:
            raise Invalid.at("expr", str(error), self.expr[:LONGEST_EXPR]) from None
        except (ValueError, OverflowError):
            raise Invalid.at("expr", "has a start too near to an end of time", self.expr[:LONGEST_EXPR]) from None
        interval_like = any(rule.freq in UNITS_S for rule in recurrence.rules)
        return WallSchedule(pattern, clock, terms.dst, interval_like=interval_like)


class Merged:
    """The first of several patterns, leaving out what others match."""

    def __init__(self, patterns: list[WallPattern], without: list[WallPattern], steps: Steps) -> None:
        self._patterns, self._without, self._steps = patterns, without, steps

    def next_wall(self, wall_s: int) -> int | None:
        while True:
            self._steps.spend(len(self._patterns) + len(self._without))
            walls = [wall for pattern in self._patterns if (wall := pattern.next_wall(wall_s)) is not None]
            if not walls:
                return None
            found = min(walls)
            if all(pattern.next_wall(found) != found for pattern in self._without):
                return found
            wall_s = found + 1


class Listed:
    """Wall times written one by one."""

    def __init__(self, walls: Iterable[int]) -> None:
        self._walls = sorted(walls)

    def next_wall(self, wall_s: int) -> int | None:
        index = bisect_left(self._walls, wall_s)
        return self._walls[index] if index < len(self._walls) else None


class WholeDays:
    """Every second of some days."""

    def __init__(self, days: Iterable[int]) -> None:
        self._days = sorted(days)

    def next_wall(self, wall_s: int) -> int | None:
        index = bisect_left(self._days, wall_s // DAY_S)
        return max(wall_s, self._days[index] * DAY_S) if index < len(self._days) else None


def _pattern(recurrence: Recurrence, clock: ZoneClock, anchor_at: datetime) -> WallPattern:
    steps = Steps()
    patterns = [_rule_pattern(rule, recurrence.start, clock, anchor_at, steps) for rule in recurrence.rules]
    without = [_rule_pattern(rule, recurrence.start, clock, anchor_at, steps) for rule in recurrence.without_rules]
    if recurrence.dates:
        patterns.append(Listed(_wall(moment, clock) for moment in recurrence.dates))
    if recurrence.without_dates:
        without.append(Listed(_wall(moment, clock) for moment in recurrence.without_dates if not moment.is_date))
        without.append(WholeDays(_wall(moment, clock) // DAY_S for moment in recurrence.without_dates if moment.is_date))
    pattern = Merged(patterns, without, steps) if without or len(patterns) > 1 else patterns[0]
    whole = Budgeted(pattern, steps)
    start_s = _wall(recurrence.start, clock) if recurrence.start else wall_of(anchor_at, clock)
    if whole.next_wall(min([start_s, *(_wall(moment, clock) for moment in recurrence.dates)])) is None:
        raise BadRule("never fires: from its start on, for a hundred years at least, no moment matches all parts")
    return whole


def _rule_pattern(rule: Rule, start: Moment | None, clock: ZoneClock, anchor_at: datetime, steps: Steps) -> WallPattern:
    if start is not None:
        start_s = from_s = _wall(start, clock)
        rule = _with_times_of_start(rule, start_s)
    else:
        start_s = wall_of(anchor_at, clock)
        from_s = start_s + (anchor_at.microsecond > 0)
        rule = _with_times_of_anchor(rule, start_s)
    by_january = start is None and 12 % rule.interval == 0
    pattern = compile_rule(rule, start_s, from_s=from_s, by_january=by_january, steps=steps)
    return Bounded(pattern, from_s, _until_wall(rule.until, clock)) if rule.until else pattern


def _with_times_of_start(rule: Rule, start_s: int) -> Rule:
    """RFC 5545: each time part finer than the frequency that is not written is taken from DTSTART."""
    hour, minute, second = start_s // 3600 % 24, start_s // 60 % 60, start_s % 60
    return replace(
        rule,
        hours=rule.hours or (() if rule.freq in UNITS_S else (hour,)),
        minutes=rule.minutes or (() if rule.freq in ("MINUTELY", "SECONDLY") else (minute,)),
        seconds=rule.seconds or (() if rule.freq == "SECONDLY" else (second,)),
    )


def _with_times_of_anchor(rule: Rule, anchor_s: int) -> Rule:
    """The anchor is an accident: its seconds never count, nor its minute beside a written hour."""
    kept_s = 3600 if rule.hours else 60
    return _with_times_of_start(rule, anchor_s // kept_s * kept_s)


def _until_wall(until: Moment, clock: ZoneClock) -> int:
    return _wall(until, clock) + (DAY_S - 1 if until.is_date else 0)


def _wall(moment: Moment, clock: ZoneClock) -> int:
    """A written moment on the schedule's wall clock. At the ends of time, where people write "for ever", hours do not matter."""
    written = get_clock(moment.zone, "expr").zone if moment.zone and moment.zone != clock.zone.key else None
    with suppress(OverflowError):
        if moment.is_utc or written:
            return wall_of(moment.value.replace(tzinfo=written or UTC), clock)
    return wall_seconds(moment.value)

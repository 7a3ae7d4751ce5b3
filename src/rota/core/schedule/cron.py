"""Cron expressions, in the dialect of Debian's cron with optional seconds, and its macros."""

from datetime import timedelta
from functools import lru_cache, partial

from msgspec import Struct

from rota.core.errors import Invalid
from rota.core.schedule.cronfields import LAST_DAY, BadField, Fields, parse_fields
from rota.core.schedule.daytimes import ClockTimes, DayTimes
from rota.core.schedule.every import Every, parse_interval
from rota.core.schedule.planned import Schedule, Terms
from rota.core.schedule.wall import WallSchedule
from rota.core.schedule.yeardays import Days, in_months, on_monthdays, on_weekdays
from rota.core.schedule.zone import get_clock

LONGEST_EXPR = 1_000
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class CronSchedule(Struct, frozen=True, tag_field="kind", tag="cron", forbid_unknown_fields=True):
    """`expr`: 5 fields, 6 with leading seconds, a macro such as `@daily`, or `@every 1h30m` (from the anchor, in real time).

    Day-of-month and day-of-week both restricted: either matches; a field that starts with `*` counts as unrestricted.
    """

    expr: str
    timezone: str | None = None

    def compile(self, terms: Terms) -> Schedule:
        """Raises Invalid at `expr` or `timezone`."""
        clock = get_clock(terms.default_timezone if self.timezone is None else self.timezone)
        expr = self.expr.strip()
        if expr[:7].lower() == "@every ":
            return Every(self._interval(expr[7:].strip()), terms.anchor_at, clock)
        fields = self._fields(expr)
        days = Days(partial(_days_of_year, fields.monthdays, fields.months, fields.weekdays, fields.either_day))
        times = ClockTimes(fields.hours, fields.minutes, fields.seconds)
        return WallSchedule(DayTimes(days, times), clock, terms.dst, interval_like=fields.interval_like)

    def _interval(self, text: str) -> timedelta:
        try:
            return parse_interval(text)
        except ValueError as error:
            raise Invalid.at("expr", f"@every {error}", self.expr) from None

    def _fields(self, expr: str) -> Fields:
        try:
            if len(expr) > LONGEST_EXPR:
                raise BadField(f"is longer than {LONGEST_EXPR} characters")
            return _parse(expr)
        except BadField as error:
            raise Invalid.at("expr", str(error), self.expr[:LONGEST_EXPR]) from None


# Most tasks come by one of a few expressions: at midnight, every hour.
@lru_cache(maxsize=1024)
def _parse(expr: str) -> Fields:
    if expr.upper().startswith(("CRON_TZ=", "TZ=")):
        raise BadField("a time zone inside the expression is not read; give it as timezone")
    if expr.startswith("@"):
        if expr.lower() not in MACROS:
            raise BadField(f"{expr!r} is not a macro; there are {', '.join(MACROS)} and @every <duration>")
        expr = MACROS[expr.lower()]
    fields = parse_fields(expr)
    _check_that_it_fires(fields)
    return fields


def _check_that_it_fires(fields: Fields) -> None:
    """Every date falls on every weekday sooner or later, so only the length of the months can make one impossible."""
    if fields.either_day or fields.monthdays & LAST_DAY:
        return
    if not on_monthdays(2024, fields.monthdays) & in_months(2024, fields.months):
        day = (fields.monthdays & -fields.monthdays).bit_length() - 1
        raise BadField(f"never fires: day-of-month {day} does not occur in the given month; use L for the last day of a month")


@lru_cache(maxsize=2048)
def _days_of_year(monthdays: int, months: int, weekdays: int, either_day: bool, year: int) -> int:
    by_monthday = on_monthdays(year, monthdays, (1,) if monthdays & LAST_DAY else ())
    by_weekday = on_weekdays(year, weekdays)
    return in_months(year, months) & (by_monthday | by_weekday if either_day else by_monthday & by_weekday)

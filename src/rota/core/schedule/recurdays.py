"""The days on which a recurrence rule can fire, a year at a time."""

from msgspec.structs import replace

from rota.core.schedule import yeardays
from rota.core.schedule.daytimes import bits
from rota.core.schedule.rruletext import Rule

UNITS_S = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}


def with_day_parts(rule: Rule, start: int) -> Rule:
    """RFC 5545: what the rule does not say about the day is taken from the start."""
    if rule.freq not in ("YEARLY", "MONTHLY", "WEEKLY") or rule.yeardays or rule.monthdays or rule.days:
        return rule
    if rule.freq == "WEEKLY" or rule.weeks:
        return replace(rule, days=((0, yeardays.weekday_of(start)),))
    month, first, _ = yeardays.month_of(start)
    months = rule.months or ((month,) if rule.freq == "YEARLY" else ())
    return replace(rule, months=months, monthdays=(start - first + 1,))


def days_of_year(rule: Rule, start: int, by_january: bool, year: int) -> int:
    """The matching days: those in phase, less what any of the day parts leaves out."""
    days = _in_phase(rule, start, by_january, year)
    if days and rule.months:
        days &= yeardays.in_months(year, bits(rule.months))
    if days and rule.monthdays:
        from_end = [-day for day in rule.monthdays if day < 0]
        days &= yeardays.on_monthdays(year, bits(day for day in rule.monthdays if day > 0), from_end)
    if days and rule.yeardays:
        length = yeardays.all_days(year).bit_length()
        wanted = {day - 1 if day > 0 else length + day for day in rule.yeardays}
        days &= bits(day for day in wanted if 0 <= day < length)
    if days and rule.weeks:
        days &= _in_weeks(rule, year)
    if days and rule.days:
        days &= _on_days(rule, year)
    return days


def _in_phase(rule: Rule, start: int, by_january: bool, year: int) -> int:
    step = rule.interval
    if rule.freq in UNITS_S or step == 1:
        return yeardays.all_days(year)
    if rule.freq == "DAILY":
        return yeardays.every_nth(year, start, step)
    if rule.freq == "WEEKLY":
        week = start - (yeardays.weekday_of(start) - rule.week_start) % 7
        return yeardays.every_nth(year, week, 7 * step, run=7)
    started = yeardays.year_of(start)
    if rule.freq == "YEARLY":
        return yeardays.all_days(year) if (year - started) % step == 0 else 0
    month = 1 if by_january else yeardays.month_of(start)[0]
    elapsed = (year - started) * 12 - month
    return yeardays.in_months(year, bits(n for n in range(1, 13) if (elapsed + n) % step == 0))


def _in_weeks(rule: Rule, year: int) -> int:
    """Weeks are numbered within their own year, whose first and last days may belong to its neighbours."""
    days, new_year = 0, yeardays.first_day(year)
    for owner in (year - 1, year, year + 1):
        first = yeardays.week_1(owner, rule.week_start)
        weeks = (yeardays.week_1(owner + 1, rule.week_start) - first) // 7
        for number in rule.weeks:
            index = number - 1 if number > 0 else weeks + number
            if 0 <= index < weeks:
                offset = first + 7 * index - new_year
                days |= 0x7F << offset if offset >= 0 else 0x7F >> -offset
    return days & yeardays.all_days(year)


def _on_days(rule: Rule, year: int) -> int:
    days = yeardays.on_weekdays(year, bits(weekday for ordinal, weekday in rule.days if not ordinal))
    for ordinal, weekday in rule.days:
        if ordinal:
            same = yeardays.on_weekdays(year, 1 << weekday)
            within = range(1, 13) if rule.freq == "MONTHLY" or rule.months else ()
            spans = [yeardays.in_months(year, 1 << month) for month in within] or [yeardays.all_days(year)]
            for span in spans:
                days |= yeardays.nth_day(same & span, ordinal)
    return days

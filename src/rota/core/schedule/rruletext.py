"""The text of a recurrence: RFC 5545 property lines, read into values and checked part by part."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from msgspec import Struct

FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
LONGEST_NUMBER = 9
MOST_RULES = 10
BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
MOMENT = re.compile(r"(\d{8})(?:T(\d{6})(Z)?)?")


class BadRule(ValueError):
    """The message names the part, what is wrong with it and what would be right."""


class Moment(Struct, frozen=True):
    """A DATE or DATE-TIME. `value` is naive; `is_utc` and `zone` say where it holds, else it is local to the schedule."""

    value: datetime
    is_date: bool = False
    is_utc: bool = False
    zone: str | None = None


class Rule(Struct, frozen=True, kw_only=True):
    """The parts of one RRULE. Weekdays count from Monday 0; `days` are (ordinal or 0, weekday)."""

    freq: str
    interval: int = 1
    count: int | None = None
    until: Moment | None = None
    months: tuple[int, ...] = ()
    weeks: tuple[int, ...] = ()
    yeardays: tuple[int, ...] = ()
    monthdays: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0


class Recurrence(Struct, frozen=True, kw_only=True):
    """All lines of an expression."""

    start: Moment | None
    rules: list[Rule]
    without_rules: list[Rule]
    dates: list[Moment]
    without_dates: list[Moment]


def parse_recurrence(text: str) -> Recurrence:
    """Lines RRULE (its name may be left out), DTSTART, RDATE, EXDATE and EXRULE, case-blind. Raises BadRule."""
    lines: dict[str, list[tuple[str | None, str]]] = {"DTSTART": [], "RRULE": [], "RDATE": [], "EXDATE": [], "EXRULE": []}
    for line in re.sub(r"\r?\n[ \t]", "", text).splitlines():
        if line.strip():
            name, zone, value = _split(line.strip())
            if name not in lines:
                raise BadRule(f"unknown line {name[:40]!r}; there are {', '.join(lines)}")
            lines[name].append((zone, value))
    if len(lines["DTSTART"]) > 1:
        raise BadRule("DTSTART is given twice; write it once")
    if not lines["RRULE"] and not lines["RDATE"]:
        raise BadRule("has no rule; write one such as FREQ=DAILY;BYHOUR=9")
    if len(lines["RRULE"]) + len(lines["EXRULE"]) > MOST_RULES:
        raise BadRule(f"has more than {MOST_RULES} rules; split them over several tasks")
    without_rules = [parse_rule(value) for _, value in lines["EXRULE"]]
    if any(rule.freq in ("HOURLY", "MINUTELY", "SECONDLY") for rule in without_rules):
        raise BadRule("EXRULE cannot be finer than DAILY; leave the times out of RRULE with BYMONTH, BYDAY or BYHOUR")
    starts = _moments(lines["DTSTART"], "DTSTART")
    return Recurrence(
        start=starts[0] if starts else None,
        rules=[parse_rule(value) for _, value in lines["RRULE"]],
        without_rules=without_rules,
        dates=_moments(lines["RDATE"], "RDATE"),
        without_dates=_moments(lines["EXDATE"], "EXDATE"),
    )


def _split(line: str) -> tuple[str, str | None, str]:
    """The name, the TZID and the value of a line."""
    head, colon, value = line.partition(":")
    if not colon:
        return "RRULE", None, line.upper()
    name, *params = head.split(";")
    zone = None
    for param in params:
        key, _, setting = param.partition("=")
        if key.strip().upper() == "TZID":
            zone = setting.strip().strip('"')
        elif key.strip().upper() != "VALUE" or setting.strip().upper() not in ("DATE", "DATE-TIME"):
            raise BadRule(f"parameter {param[:40]!r} is not read; there are TZID, VALUE=DATE and VALUE=DATE-TIME")
    return name.strip().upper(), zone, value.strip().upper()


def _moments(lines: list[tuple[str | None, str]], name: str) -> list[Moment]:
    return [parse_moment(item.strip(), name, zone) for zone, value in lines for item in value.split(",")]


def parse_moment(text: str, name: str, zone: str | None = None) -> Moment:
    match = MOMENT.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        day = date.fromisoformat(match[1])
        clock = match[2] or "000000"
        value = datetime(day.year, day.month, day.day, int(clock[:2]), int(clock[2:4]), int(clock[4:]))  # noqa: DTZ001 - wall time
    except ValueError:
        raise BadRule(f"{name} {text[:40]!r} is not a moment such as 20270314T090000, 20270314T090000Z or 20270314") from None
    return Moment(value, is_date=match[2] is None, is_utc=match[3] is not None, zone=zone)


def parse_rule(text: str) -> Rule:
    """Parts such as `FREQ=WEEKLY;BYDAY=MO,FR`, in upper case."""
    parts: dict[str, str] = {}
    for part in text.strip().strip(";").split(";"):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise BadRule(f"{part[:40]!r} is not a part; write NAME=VALUE, as in FREQ=DAILY")
        if key not in PARTS:
            raise BadRule(f"unknown part {key[:40]!r}; there are {', '.join(PARTS)}")
        if key in parts:
            raise BadRule(f"{key} is given twice; write its values once, separated by commas")
        parts[key] = value
    if "FREQ" not in parts:
        raise BadRule(f"has no FREQ; it is one of {', '.join(FREQUENCIES)}")
    values: dict[str, Any] = {PARTS[key][0]: PARTS[key][1](key, value) for key, value in parts.items()}
    rule = Rule(**values)
    _check_together(rule)
    return rule


def _check_together(rule: Rule) -> None:
    for message in _contradictions(rule):
        raise BadRule(message)


def _contradictions(rule: Rule) -> list[str]:
    """What RFC 5545 (3.3.10) does not let stand beside each other."""
    ordinals = [ordinal for ordinal, _ in rule.days if ordinal]
    by_month = rule.freq == "MONTHLY" or (rule.freq == "YEARLY" and bool(rule.months))
    wrong = {
        "COUNT and UNTIL exclude each other; keep one": rule.count is not None and rule.until is not None,
        "BYDAY with a number needs FREQ=MONTHLY or YEARLY": bool(ordinals) and rule.freq not in ("MONTHLY", "YEARLY"),
        "BYDAY with a number cannot stand beside BYWEEKNO": bool(ordinals) and bool(rule.weeks),
        "BYDAY number is out of range; within a month it goes from 1 to 5 or -5 to -1": by_month
        and any(abs(n) > 5 for n in ordinals),
        "BYDAY number is out of range; within a year it goes from 1 to 53 or -53 to -1": any(abs(n) > 53 for n in ordinals),
        "BYWEEKNO needs FREQ=YEARLY": bool(rule.weeks) and rule.freq != "YEARLY",
        "BYYEARDAY cannot stand beside FREQ=DAILY, WEEKLY or MONTHLY": bool(rule.yeardays)
        and rule.freq in ("DAILY", "WEEKLY", "MONTHLY"),
        "BYMONTHDAY cannot stand beside FREQ=WEEKLY": bool(rule.monthdays) and rule.freq == "WEEKLY",
        "BYSETPOS needs another BY part to choose from": bool(rule.positions) and not _has_by_parts(rule),
    }
    return [message for message, applies in wrong.items() if applies]


def _has_by_parts(rule: Rule) -> bool:
    days = rule.months or rule.weeks or rule.yeardays or rule.monthdays or rule.days
    return bool(days or rule.hours or rule.minutes or rule.seconds)


def is_plain(rule: Rule) -> bool:
    """Nothing but a frequency and an interval says when."""
    return not _has_by_parts(rule)


def _choice(options: tuple[str, ...]) -> Callable[[str, str], str]:
    def read(key: str, text: str) -> str:
        if text not in options:
            raise BadRule(f"{key} {text[:40]!r} is not one of {', '.join(options)}")
        return text

    return read


def _number(low: int, high: int, *, signed: bool = False) -> Callable[[str, str], int]:
    def read(key: str, text: str) -> int:
        digits = text.removeprefix("-").removeprefix("+") if signed else text
        is_number = len(digits) <= LONGEST_NUMBER and digits.isascii() and digits.isdigit()
        number = int(text) if is_number else 0
        if not is_number or not low <= abs(number) <= high:
            also = f" or -{high} to -{low}" if signed else ""
            raise BadRule(f"{key} {text[:40]!r} is out of range; it goes from {low} to {high}{also}")
        return number

    return read


def _numbers(low: int, high: int, *, signed: bool = False) -> Callable[[str, str], tuple[int, ...]]:
    number = _number(low, high, signed=signed)

    def read(key: str, text: str) -> tuple[int, ...]:
        return tuple(sorted({number(key, item.strip()) for item in text.split(",")}))

    return read


def _days(key: str, text: str) -> tuple[tuple[int, int], ...]:
    days = []
    for item in text.split(","):
        match = BYDAY.fullmatch(item.strip())
        if match is None or (match[1] and int(match[1]) == 0):
            raise BadRule(f"{key} {item.strip()[:40]!r} is not a weekday such as MO, 1MO or -1FR")
        days.append((int(match[1] or 0), WEEKDAYS.index(match[2])))
    return tuple(days)


def _week_start(key: str, text: str) -> int:
    return WEEKDAYS.index(_choice(WEEKDAYS)(key, text))


def _until(key: str, text: str) -> Moment:
    return parse_moment(text, key)


PARTS: dict[str, tuple[str, Callable[[str, str], object]]] = {
    "FREQ": ("freq", _choice(FREQUENCIES)),
    "INTERVAL": ("interval", _number(1, 10**LONGEST_NUMBER)),
    "COUNT": ("count", _number(1, 10**LONGEST_NUMBER)),
    "UNTIL": ("until", _until),
    "BYMONTH": ("months", _numbers(1, 12)),
    "BYWEEKNO": ("weeks", _numbers(1, 53, signed=True)),
    "BYYEARDAY": ("yeardays", _numbers(1, 366, signed=True)),
    "BYMONTHDAY": ("monthdays", _numbers(1, 31, signed=True)),
    "BYDAY": ("days", _days),
    "BYHOUR": ("hours", _numbers(0, 23)),
    "BYMINUTE": ("minutes", _numbers(0, 59)),
    "BYSECOND": ("seconds", _numbers(0, 59)),
    "BYSETPOS": ("positions", _numbers(1, 366, signed=True)),
    "WKST": ("week_start", _week_start),
}

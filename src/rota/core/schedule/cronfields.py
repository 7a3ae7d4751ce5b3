"""One field of a cron expression: its grammar and its range."""

from typing import NamedTuple

from msgspec import Struct

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
LAST_DAY = 1 << 0  # no month has a day 0, so its bit is free


class BadField(ValueError):
    """The message names the field, what is wrong with it and what would be right."""


class Field(NamedTuple):
    """`high` is the last number that can be written, `top` the last one that `*` and an open step reach."""

    name: str
    low: int
    high: int
    top: int
    names: dict[str, int]


class Fields(Struct, frozen=True):
    """An expression as sets of bits. `monthdays` are 1-31 and LAST_DAY, `weekdays` 0-6 from Monday."""

    seconds: int
    minutes: int
    hours: int
    monthdays: int
    months: int
    weekdays: int
    either_day: bool
    interval_like: bool


SECOND = Field("second", 0, 59, 59, {})
MINUTE = Field("minute", 0, 59, 59, {})
HOUR = Field("hour", 0, 23, 23, {})
MONTHDAY = Field("day-of-month", 1, 31, 31, {})
MONTH = Field("month", 1, 12, 12, {name: number for number, name in enumerate(MONTHS, 1)})
WEEKDAY = Field("day-of-week", 0, 7, 6, {name: number for number, name in enumerate(WEEKDAYS)})


def parse_fields(text: str) -> Fields:
    """Five fields, or six with leading seconds. Raises BadField."""
    parts = text.upper().split()
    if len(parts) not in (5, 6):
        raise BadField(f"has {len(parts)} fields; write 5 (minute hour day-of-month month day-of-week) or 6 (second first)")
    clock, (monthday, month, weekday) = parts[:-3], parts[-3:]
    weekdays = parse_field(WEEKDAY, weekday)
    return Fields(
        seconds=parse_field(SECOND, clock[0]) if len(clock) == 3 else 1,
        minutes=parse_field(MINUTE, clock[-2]),
        hours=parse_field(HOUR, clock[-1]),
        monthdays=parse_field(MONTHDAY, monthday),
        months=parse_field(MONTH, month),
        # From Sunday 0 or 7 to Monday 0.
        weekdays=(weekdays >> 1 | (weekdays & 1) << 6) & 0x7F,
        either_day=not monthday.startswith("*") and not weekday.startswith("*"),
        interval_like=any(part.startswith("*") for part in clock),
    )


def parse_field(field: Field, text: str) -> int:
    """The numbers of a field as bits. `text` is in upper case."""
    if text == "*":
        return (1 << field.top + 1) - (1 << field.low)
    mask = 0
    for term in text.split(","):
        mask |= _term(field, term)
    return mask


def _term(field: Field, term: str) -> int:
    if field is MONTHDAY and term in ("L", "LAST"):
        return LAST_DAY
    span, slash, step_text = term.partition("/")
    step = _step(field, step_text) if slash else 1
    low_text, dash, high_text = span.partition("-")
    if span == "*":
        low, high = field.low, field.top
    elif dash:
        low, high = _range(field, low_text, high_text)
    else:
        low = _number(field, low_text)
        high = max(low, field.top) if slash else low
    mask = 0
    for number in range(low, high + 1, step):
        mask |= 1 << number
    return mask


def _range(field: Field, low_text: str, high_text: str) -> tuple[int, int]:
    low, high = _number(field, low_text), _number(field, high_text)
    if field is WEEKDAY and high == 0 < low:
        high = 7
    if low > high:
        raise BadField(
            f"{field.name} range {low_text}-{high_text} runs backwards; "
            f"write {low_text}-{field.top},{field.low}-{high_text} to go over the end"
        )
    return low, high


def _step(field: Field, text: str) -> int:
    if not _is_digits(text) or int(text) == 0:
        raise BadField(f"{field.name} step {text!r} must be a whole number from 1, as in */5")
    return int(text)


def _number(field: Field, text: str) -> int:
    number = field.names.get(text)
    if number is not None:
        return number
    if not _is_digits(text):
        names = f" or {next(iter(field.names))}-{list(field.names)[-1]}" if field.names else ""
        raise BadField(f"{field.name} {text!r} is not a number from {field.low} to {field.high}{names}")
    if not field.low <= int(text) <= field.high:
        raise BadField(f"{field.name} {text} is out of range; it goes from {field.low} to {field.high}")
    return int(text)


def _is_digits(text: str) -> bool:
    return 0 < len(text) <= 4 and text.isascii() and text.isdigit()

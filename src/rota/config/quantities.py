"""Durations and sizes as people write them (RunWisp §3.1)."""

import re
from decimal import Decimal
from typing import Any

from rota.config.kinds import BadValue, Kind, expect, said_as
from rota.core.policy import LONGEST_S

UNITS_S = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
}
UNITS_BYTES = {"": 1, "b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3, "tb": 1024**4}
LARGEST_BYTES = 2**53 - 1
DAY_S = 86_400

_PART = re.compile(r"(\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(ns|us|µs|ms|s|m|h|d|w)")
_SIZE = re.compile(r"\s*(\d{1,19}(?:\.\d{0,18})?|\.\d{1,18})\s*(|b|kb|mb|gb|tb)\s*", re.IGNORECASE)
_LONG_WORDS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|milli|s|m|h|d|w)[a-z]*\s*", re.IGNORECASE)


def duration_s(text: str) -> float:
    """Seconds of `300ms`, `5s`, `1h30m`, `1.5d`. Raises BadValue, with the nearest good spelling where one is in sight."""
    if text.startswith("-"):
        raise BadValue("must not be negative")
    total, position = Decimal(0), 0
    while part := _PART.match(text, position):
        total += Decimal(part[1]) * UNITS_S[part[2]]
        position = part.end()
    if (position == 0 or position != len(text)) and text != "0":
        raise BadValue(f"must be a duration such as 300ms, 5s, 10m, 1h30m or 2d{_spelling(text)}")
    if total > LONGEST_S:
        raise BadValue("must not be longer than 100 years")
    return float(total)


def _spelling(text: str) -> str:
    if re.fullmatch(r"\s*[\d.]+\s*", text):
        return f'; a bare number has no unit: write "{text.strip()}s" for seconds'
    words = _LONG_WORDS.fullmatch(text)
    if not words:
        return ""
    unit = words[2].lower()
    return f'; write "{words[1]}{"ms" if unit == "milli" else unit}"'


def duration(*, positive: bool = False, least_s: float = 0.0, most_s: float = LONGEST_S) -> Kind:
    """A duration in seconds, 0 only if it need not be positive, from `least_s` to `most_s`."""

    def check(text: str) -> float:
        seconds = duration_s(text)
        if positive and seconds == 0:
            raise BadValue("must be longer than 0")
        if seconds < least_s:
            raise BadValue(f"must not be shorter than {_limit(least_s)}")
        if seconds > most_s:
            raise BadValue(f"must not be longer than {_limit(most_s)}")
        return seconds

    def parse(value: Any) -> float:
        if not isinstance(value, str):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            hint = '; a bare number has no unit: write "5s" for five seconds' if number else ""
            raise BadValue(f"must be a duration in quotes such as 300ms, 5s or 1h30m, not {said_as(value)}{hint}")
        return check(value)

    least = f" ≥ {_limit(least_s)}" if least_s else " > 0" if positive else ""
    return Kind("duration" + least + (f" ≤ {_limit(most_s)}" if most_s < LONGEST_S else ""), parse, check)


def seconds(*, positive: bool = False, most_s: float = LONGEST_S) -> Kind:
    """A duration that an environment variable may also give as a bare number, of seconds, as other systems' do."""
    kind = duration(positive=positive, most_s=most_s)

    def from_text(text: str) -> float:
        found: float = kind.from_text(f"{text}s" if re.fullmatch(r"[\d.]+", text) else text)
        return found

    return Kind(kind.name, kind.parse, from_text)


def _limit(seconds: float) -> str:
    if seconds == LONGEST_S:
        return "100 years"
    unit, size_s = next(each for each in (("h", 3600), ("m", 60), ("s", 1)) if seconds >= each[1])
    return f"{seconds / size_s:g}{unit}"


def size_bytes(text: str) -> int:
    """Bytes of `500`, `64kb`, `1.5gb`; units count by 1024. Raises BadValue."""
    match = _SIZE.fullmatch(text)
    if match is None:
        negative = text.strip().startswith("-")
        raise BadValue("must not be negative" if negative else "must be a size such as 500kb, 100mb or 1.5gb")
    count = int(Decimal(match[1]) * UNITS_BYTES[match[2].lower()])
    if count > LARGEST_BYTES:
        raise BadValue("is too large")
    return count


def size(*, positive: bool = False) -> Kind:
    """A size in bytes; a plain number is bytes too."""

    def check(text: str) -> int:
        count = size_bytes(text)
        if positive and count == 0:
            raise BadValue("must be larger than 0")
        return count

    def parse(value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return check(str(value))
        expect(str, value, "a size such as 500kb, 100mb or 1.5gb")
        return check(value)

    return Kind("size > 0" if positive else "size", parse, check)

"""A fixed interval of real time, counted from the anchor: cron's `@every`."""

import re
from datetime import UTC, datetime, timedelta

from rota.core.schedule.planned import Planned
from rota.core.schedule.zone import ZoneClock

UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
PART = re.compile(r"(\d{1,12}(?:\.\d{0,9})?|\.\d{1,9})(ns|us|µs|ms|s|m|h|d|w)")
SHORTEST_S = 1
LONGEST_S = 36_525 * 86_400


class Every:
    """`anchor + k * interval`, k from 1. Clock changes do not touch it."""

    def __init__(self, interval: timedelta, anchor_at: datetime, clock: ZoneClock) -> None:
        self._interval, self._anchor_at, self._clock = interval, anchor_at.astimezone(UTC), clock

    def next_after(self, moment: datetime) -> Planned | None:
        count = max((moment - self._anchor_at) // self._interval + 1, 1)
        try:
            at = self._anchor_at + count * self._interval
            return Planned(at, at.astimezone(self._clock.zone))
        except OverflowError:
            return None


def parse_interval(text: str) -> timedelta:
    """A Go duration (`1h30m`, `90s`, `1.5h`), also in days `d` and weeks `w`, of at least a second. Raises ValueError."""
    total_s, position = 0.0, 0
    while part := PART.match(text, position):
        total_s += float(part[1]) * UNITS_S[part[2]]
        position = part.end()
    if position == 0 or position != len(text):
        raise ValueError(f"{text!r} is not a duration such as 30s, 15m or 1h30m")
    if not SHORTEST_S <= total_s <= LONGEST_S:
        raise ValueError(f"{text} is out of range; an interval is from 1s to 100 years")
    return timedelta(seconds=total_s)

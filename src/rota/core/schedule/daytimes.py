"""Times of a day, as seconds since its wall-clock midnight, and the pattern made of days and times."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Protocol

from rota.core.schedule.yeardays import Days
from rota.core.schedule.zone import DAY_S


class Times(Protocol):
    def at_or_after(self, second: int) -> int | None:
        """The first matching second of the day; None if the day has no more."""


class ClockTimes:
    """All combinations of the hours, minutes and seconds whose bits are set."""

    def __init__(self, hours: int, minutes: int, seconds: int) -> None:
        self._hours, self._minutes, self._seconds = hours, minutes, seconds

    def at_or_after(self, second: int) -> int | None:
        hour, rest = divmod(second, 3600)
        minute, second = divmod(rest, 60)
        if self._hours >> hour & 1:
            if self._minutes >> minute & 1 and (found := next_bit(self._seconds, second)) is not None:
                return hour * 3600 + minute * 60 + found
            if (found := next_bit(self._minutes, minute + 1)) is not None:
                return hour * 3600 + found * 60 + first_bit(self._seconds)
        if (found := next_bit(self._hours, hour + 1)) is not None:
            return found * 3600 + first_bit(self._minutes) * 60 + first_bit(self._seconds)
        return None


class ListedTimes:
    """Seconds of the day, one by one."""

    def __init__(self, seconds: Iterable[int]) -> None:
        self.seconds = sorted(seconds)

    def at_or_after(self, second: int) -> int | None:
        index = bisect_left(self.seconds, second)
        return self.seconds[index] if index < len(self.seconds) else None


class DayTimes:
    """The wall pattern of matching times on matching days."""

    def __init__(self, days: Days, times: Times) -> None:
        self._days, self._times = days, times

    def next_wall(self, wall_s: int) -> int | None:
        asked, second = divmod(wall_s, DAY_S)
        day = self._days.at_or_after(asked)
        if day == asked:
            found = self._times.at_or_after(second)
            if found is not None:
                return day * DAY_S + found
            day = self._days.at_or_after(asked + 1)
        first = self._times.at_or_after(0)
        return day * DAY_S + first if day is not None and first is not None else None


def bits(numbers: Iterable[int]) -> int:
    """Numbers as a set of bits."""
    mask = 0
    for number in numbers:
        mask |= 1 << number
    return mask


def first_bit(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def next_bit(mask: int, low: int) -> int | None:
    """The lowest set bit from `low` on."""
    mask >>= low
    return low + (mask & -mask).bit_length() - 1 if mask else None

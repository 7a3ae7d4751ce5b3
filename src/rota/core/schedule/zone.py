"""Time zones by name, and when their offset from UTC changes."""

from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from rota.core.errors import Invalid, Problem

DAY_S = 86_400
FIRST_S = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp())
LAST_S = int(datetime(9990, 1, 1, tzinfo=UTC).timestamp())
YEAR_S = 31_556_952
PROBE_S = 6 * DAY_S
CALM_S = 3 * DAY_S
YEARS_KEPT = 64


class Segment(NamedTuple):
    """A stretch of real time, in epoch seconds [start_s, end_s), with one offset; beside it, those before and after."""

    start_s: int
    end_s: int
    offset_s: int
    before_s: int
    after_s: int


class ZoneClock:
    """One zone as segments of constant offset, found by probing and kept by year."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._years: dict[int, tuple[Segment, ...]] = {}

    def offset_at(self, instant_s: int) -> int:
        """Seconds east of UTC."""
        offset = datetime.fromtimestamp(instant_s, self.zone).utcoffset()
        return offset.days * DAY_S + offset.seconds if offset is not None else 0

    def segment_at(self, instant_s: int) -> Segment:
        """The segment that holds an instant between FIRST_S and LAST_S."""
        year = 1970 + instant_s // YEAR_S
        segments = self._year(year)
        if instant_s < segments[0].start_s:
            segments = self._year(year - 1)
        elif instant_s >= segments[-1].end_s:
            segments = self._year(year + 1)
        for segment in segments:
            if instant_s < segment.end_s:
                return segment
        return segments[-1]

    def _year(self, year: int) -> tuple[Segment, ...]:
        segments = self._years.get(year)
        if segments is None:
            if len(self._years) >= YEARS_KEPT:
                self._years.clear()
            segments = self._years[year] = self._segments(self._cut(year), self._cut(year + 1))
        return segments

    def _cut(self, year: int) -> int:
        """Where a year's segments begin: New Year, or days later, so that no change of offset is near the seam."""
        cut = (date(year, 1, 1).toordinal() - EPOCH_ORDINAL) * DAY_S
        while not self.offset_at(cut - CALM_S) == self.offset_at(cut) == self.offset_at(cut + CALM_S):
            cut += 2 * CALM_S
        return cut

    def _segments(self, start_s: int, end_s: int) -> tuple[Segment, ...]:
        edges = [start_s, *self._changes(start_s, end_s), end_s]
        offsets = [self.offset_at(edge) for edge in edges]
        befores = [offsets[0], *offsets]
        return tuple(Segment(edges[i], edges[i + 1], offsets[i], befores[i], offsets[i + 1]) for i in range(len(edges) - 1))

    def _changes(self, start_s: int, end_s: int) -> list[int]:
        changes = []
        low, low_offset = start_s, self.offset_at(start_s)
        while low < end_s:
            high = min(low + PROBE_S, end_s)
            if self.offset_at(high) != low_offset:
                high = self._first_change(low, high)
                low_offset = self.offset_at(high)
                changes.append(high)
            low = high
        return changes

    def _first_change(self, low: int, high: int) -> int:
        """The second at which the offset of `low` has ended, known to be at or before `high`."""
        offset = self.offset_at(low)
        while high - low > 1:
            middle = (low + high) // 2
            if self.offset_at(middle) == offset:
                low = middle
            else:
                high = middle
        return high


EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=1024)
def _load_clock(name: str) -> ZoneClock:
    return ZoneClock(ZoneInfo(name))


def get_clock(name: str, location: str = "timezone") -> ZoneClock:
    """The zone of an IANA name (`Europe/Berlin`, `America/Argentina/Ushuaia`, `Etc/GMT+3`, `UTC`).

    Raises Invalid at `location`, with the nearest valid name as a hint.
    """
    clock = find_clock(name)
    if clock is None:
        raise _unknown_zone(name, location)
    return clock


def find_clock(name: str) -> ZoneClock | None:
    """The same, or None."""
    # Copies with other prefixes are laid beside the database; right/ counts leap seconds.
    if name.startswith(("posix/", "right/")) or name in ("", "localtime", "posixrules"):
        return None
    try:
        return _load_clock(name)
    except (OSError, ValueError, KeyError):
        return None


@cache
def _names_by_folded() -> dict[str, str]:
    """Once: they are read from files. `localtime` is there too, and is refused: it means something else on each machine."""
    return {known.casefold(): known for known in available_timezones() - {"localtime"}}


def _unknown_zone(name: str, location: str) -> Invalid:
    by_folded = _names_by_folded()
    near = get_close_matches(name[:64].casefold(), by_folded, n=1)
    hint = f"did you mean {by_folded[near[0]]}?" if near else "use an IANA name such as Europe/Berlin or UTC"
    message = f"{name[:64]!r} is not a known time zone; {hint}"
    return Invalid(f"{location}: {message}", [Problem(location, message, name)], hint=hint)

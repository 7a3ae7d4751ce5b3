"""From wall times to real instants: the one place that knows what a clock change does to a schedule."""

from datetime import UTC, datetime, timedelta
from math import floor
from typing import Protocol

from rota.core.policy import Dst
from rota.core.schedule.planned import Note, Planned
from rota.core.schedule.zone import DAY_S, FIRST_S, LAST_S, Segment, ZoneClock

WALL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall times have no zone


class WallPattern(Protocol):
    """Wall times that match. A wall time is the seconds since 1970 that a clock in UTC showing it would have."""

    def next_wall(self, wall_s: int) -> int | None:
        """The first match at or after `wall_s`; None if there is none."""


class WallSchedule:
    """A pattern of wall times in a zone, under a Dst policy.

    Interval-like patterns fire at every real occurrence; under `interval == "wall"` they follow the wall clock, as
    fixed-time patterns always do: a match in a gap is moved (or dropped), and one of two equal wall times is the one that runs.
    Under `interval == "wall"` the repeat that does not run is answered too, as suppressed.
    """

    def __init__(self, pattern: WallPattern, clock: ZoneClock, dst: Dst, *, interval_like: bool) -> None:
        self._pattern = pattern
        self._clock = clock
        follows_wall = not interval_like or dst.interval == "wall"
        self._gap = dst.gap if follows_wall else "skip"
        fold = dst.fold if not interval_like else "first" if follows_wall else "both"
        self._suppresses = fold == "first" and dst.interval == "wall"
        self._first_only = fold == "first" and not self._suppresses
        self._second_only = fold == "second"

    def next_after(self, moment: datetime) -> Planned | None:
        earliest = max(floor(moment.timestamp()) + 1, FIRST_S)
        if earliest >= LAST_S:
            return None
        segment = self._clock.segment_at(earliest)
        planned = self._first_in(segment, earliest)
        while planned is None:
            entry = self._next_entry(segment)
            if entry is None:
                return None
            segment = self._clock.segment_at(entry)
            planned = self._first_in(segment, max(entry, segment.start_s))
        return planned

    def _next_entry(self, segment: Segment) -> int | None:
        """The instant from which to look on after a segment; None if no wall time is left."""
        entry = segment.end_s
        wall = self._pattern.next_wall(entry + min(segment.offset_s, segment.after_s))
        if wall is None or entry >= LAST_S or wall >= LAST_S:
            return None
        # Nothing matches before that wall time, and no clock is two days off.
        return max(entry, wall - 2 * DAY_S)

    def _first_in(self, segment: Segment, earliest: int) -> Planned | None:
        wall = self._own_wall(segment, earliest)
        moved = self._moved(segment, earliest)
        if moved is not None and (wall is None or moved < wall - segment.offset_s):
            return self._planned(moved, "dst_gap")
        if wall is None:
            return None
        is_repeat = wall < segment.start_s + segment.before_s
        is_twice = is_repeat or wall >= segment.end_s + segment.after_s
        return self._planned(wall - segment.offset_s, "dst_fold" if is_twice else None, is_repeat and self._suppresses)

    def _own_wall(self, segment: Segment, earliest: int) -> int | None:
        """The first match that the clock really shows in this segment from `earliest` on."""
        low = earliest + segment.offset_s
        if self._first_only:
            low = max(low, segment.start_s + segment.before_s)
        wall = self._pattern.next_wall(low)
        last = min(segment.offset_s, segment.after_s) if self._second_only else segment.offset_s
        return wall if wall is not None and wall < segment.end_s + last else None

    def _moved(self, segment: Segment, earliest: int) -> int | None:
        """The instant to which a match in the gap before this segment is moved, if it is not before `earliest`."""
        gap_s = segment.offset_s - segment.before_s
        if gap_s <= 0 or self._gap == "skip" or earliest >= segment.start_s + gap_s:
            return None
        if self._gap == "end":
            if earliest > segment.start_s:
                return None
            wall = self._pattern.next_wall(segment.start_s + segment.before_s)
            return segment.start_s if wall is not None and wall < segment.start_s + segment.offset_s else None
        wall = self._pattern.next_wall(earliest + segment.before_s)
        return wall - segment.before_s if wall is not None and wall < segment.start_s + segment.offset_s else None

    def _planned(self, instant_s: int, note: Note | None = None, suppressed: bool = False) -> Planned:
        return plan(instant_s, self._clock, note, suppressed)


def plan(instant_s: int, clock: ZoneClock, note: Note | None = None, suppressed: bool = False) -> Planned:
    at = datetime.fromtimestamp(instant_s, UTC)
    return Planned(at, at.astimezone(clock.zone), note, suppressed)


def wall_of(moment: datetime, clock: ZoneClock) -> int:
    """The wall time, in whole seconds, that the zone shows at an aware moment."""
    return wall_seconds(moment.astimezone(clock.zone))


def wall_seconds(local: datetime) -> int:
    """The wall time of a datetime, its own zone left out of account."""
    return int((local.replace(tzinfo=None, microsecond=0) - WALL_EPOCH).total_seconds())


def attach(wall_s: int, clock: ZoneClock, dst: Dst) -> Planned:
    """The one instant of a single wall time. It is never dropped: in a gap, `skip` means the same as `end`."""
    local = (WALL_EPOCH + timedelta(seconds=wall_s)).replace(tzinfo=clock.zone)
    first, second = int(local.timestamp()), int(local.replace(fold=1).timestamp())
    if first < second:
        return plan(second if dst.fold == "second" else first, clock, "dst_fold")
    if first > second:
        return plan(first if dst.gap == "shift" else clock.segment_at(first).start_s, clock, "dst_gap")
    return plan(first, clock)

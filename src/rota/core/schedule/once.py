"""One instant."""

from datetime import UTC, datetime, timedelta

from msgspec import Struct

from rota.core.errors import Invalid
from rota.core.schedule.planned import Planned, Schedule, Terms
from rota.core.schedule.wall import attach, wall_seconds
from rota.core.schedule.zone import ZoneClock, get_clock


class OnceSchedule(Struct, frozen=True, tag_field="kind", tag="once", forbid_unknown_fields=True):
    """Exactly one of `at`, a moment (RFC 3339; without offset local in `timezone`), and `after_s`, seconds after the anchor.

    A moment in the past is still the one planned instant; who refuses it does so before.
    """

    at: str | None = None
    after_s: float | None = None
    timezone: str | None = None

    def compile(self, terms: Terms) -> Schedule:
        """Raises Invalid at `at`, `after_s` or `timezone`."""
        clock = get_clock(terms.default_timezone if self.timezone is None else self.timezone)
        if (self.at is None) == (self.after_s is None):
            raise Invalid.at("at", "give exactly one of at and after_s", self.at)
        return Once(self._after_anchor(clock, terms) if self.at is None else self._at(self.at, clock, terms))

    def _after_anchor(self, clock: ZoneClock, terms: Terms) -> Planned:
        delay_s = self.after_s or 0.0
        try:
            if delay_s < 0:
                raise ValueError(delay_s)
            return _planned(terms.anchor_at + timedelta(seconds=delay_s), clock)
        except (ValueError, OverflowError):
            raise Invalid.at("after_s", "must be a number of seconds from 0, ending before the year 9999", self.after_s) from None

    def _at(self, text: str, clock: ZoneClock, terms: Terms) -> Planned:
        try:
            moment = datetime.fromisoformat(text.strip().upper())
            if moment.tzinfo is not None:
                return _planned(moment, clock)
            planned = attach(wall_seconds(moment), clock, terms.dst)
            if planned.note == "dst_gap" and terms.dst.gap != "shift":
                return planned
            return _planned(planned.at + timedelta(microseconds=moment.microsecond), clock, planned)
        except (ValueError, OverflowError):
            message = "must be a moment such as 2027-03-14T09:00:00Z or, local in timezone, 2027-03-14T09:00:00"
            raise Invalid.at("at", message, text[:100]) from None


class Once:
    """The plan with one instant."""

    def __init__(self, planned: Planned) -> None:
        self._planned = planned

    def next_after(self, moment: datetime) -> Planned | None:
        return self._planned if self._planned.at > moment else None


def _planned(moment: datetime, clock: ZoneClock, like: Planned | None = None) -> Planned:
    at = moment.astimezone(UTC)
    return Planned(at, at.astimezone(clock.zone), like.note if like else None)

"""When a task of a module begins: by criteria of the calendar, at a moment, or not at all."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from rota.core.schedule import CalendarEntry, CalendarSchedule, OnceSchedule, ScheduleSpec

# A moment; None for never; UNSET for when the criteria say.
Begin = datetime | None | UnsetType
ZONE = "UTC"


class Beginning(Struct, frozen=True, kw_only=True):
    """What that comes to.

    schedule    of the document
    start_at    one run now, because this moment has passed
    is_parked   it waits, whatever its schedule says
    """

    schedule: ScheduleSpec | None
    start_at: datetime | None = None
    is_parked: bool = False


def begin(entries: Sequence[CalendarEntry], at: Begin, now: datetime) -> Beginning:
    """A moment that has passed is now; one that comes is the first time, and then the criteria go on."""
    if not entries:
        return _begin_once(None if isinstance(at, UnsetType) else at, now)
    plain = CalendarSchedule(list(entries), ZONE)
    if at is UNSET:
        return Beginning(schedule=plain)
    if at is None:
        return Beginning(schedule=plain, is_parked=True)
    if at <= now:
        return Beginning(schedule=plain, start_at=at)
    return Beginning(schedule=CalendarSchedule(list(entries), ZONE, first_at=at))


def _begin_once(at: datetime | None, now: datetime) -> Beginning:
    if at is None or at <= now:
        return Beginning(schedule=None, start_at=at)
    return Beginning(schedule=OnceSchedule(at=at.isoformat()))

"""Where the planning of a task's schedule begins."""

from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.policy import Dst
from rota.core.schedule import OnceSchedule, Schedule, ScheduleSpec, compile_schedule


class Opening(Struct, frozen=True):
    """A new schedule's first cursor and its first slot."""

    cursor_at: datetime
    next_at: datetime | None


def open_schedule(spec: ScheduleSpec | None, dst: Dst, anchor_at: datetime, default_timezone: str) -> Opening:
    """Plan a schedule that counts from `anchor_at`, the moment it was given.

    Planning begins there; for a single moment that is past already it begins just before that moment, so that it is due
    now. Raises Invalid with locations inside the schedule.
    """
    schedule = compile_schedule(spec, dst=dst, anchor_at=anchor_at, default_timezone=default_timezone)
    cursor_at = _before_single_moment(schedule, anchor_at) if isinstance(spec, OnceSchedule) else anchor_at
    first = schedule.next_after(cursor_at)
    return Opening(cursor_at, first.at if first else None)


def _before_single_moment(schedule: Schedule, anchor_at: datetime) -> datetime:
    single = schedule.next_after(datetime.min.replace(tzinfo=anchor_at.tzinfo))
    return min(anchor_at, single.at - timedelta(microseconds=1)) if single else anchor_at

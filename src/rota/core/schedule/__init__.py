"""When a task is due: one file for each kind of schedule, and the one list of them."""

from datetime import datetime

from rota.core.policy import Dst
from rota.core.schedule.calendar import CalendarEntry, CalendarSchedule
from rota.core.schedule.condition import ConditionSchedule
from rota.core.schedule.cron import CronSchedule
from rota.core.schedule.event import EventSchedule
from rota.core.schedule.manual import ManualSchedule
from rota.core.schedule.once import OnceSchedule
from rota.core.schedule.planned import Never, Planned, Schedule, Terms
from rota.core.schedule.rrule import RRuleSchedule

__all__ = [
    "CalendarEntry",
    "CalendarSchedule",
    "ConditionSchedule",
    "CronSchedule",
    "EventSchedule",
    "ManualSchedule",
    "OnceSchedule",
    "Planned",
    "RRuleSchedule",
    "Schedule",
    "ScheduleSpec",
    "compile_schedule",
    "occurrences",
]

ScheduleSpec = CronSchedule | RRuleSchedule | OnceSchedule | EventSchedule | CalendarSchedule | ConditionSchedule | ManualSchedule

MOST_SUPPRESSED = 20_000


def compile_schedule(spec: ScheduleSpec | None, *, dst: Dst, anchor_at: datetime, default_timezone: str = "UTC") -> Schedule:
    """The plan of a schedule; without one, and for manual and event, a plan that answers None.

    Raises Invalid with locations relative to the schedule: `expr`, `timezone`, `at`, `entries.0.hours`.
    """
    if spec is None:
        return Never()
    return spec.compile(Terms(dst=dst, anchor_at=anchor_at, default_timezone=default_timezone))


def occurrences(schedule: Schedule, after: datetime, count: int) -> list[Planned]:
    """The next `count` planned instants strictly after a moment, without the suppressed ones."""
    found: list[Planned] = []
    for _ in range(count + MOST_SUPPRESSED):
        planned = schedule.next_after(after) if len(found) < count else None
        if planned is None:
            break
        after = planned.at
        if not planned.suppressed:
            found.append(planned)
    return found

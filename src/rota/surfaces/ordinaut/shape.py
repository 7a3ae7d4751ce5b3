"""From our schedules and policies to Ordinaut's words."""

from rota.core.policy import Backoff
from rota.core.schedule import (
    ConditionSchedule,
    CronSchedule,
    EventSchedule,
    OnceSchedule,
    RRuleSchedule,
    ScheduleSpec,
)
from rota.surfaces.ordinaut import wire

BACKOFFS: dict[Backoff, wire.Backoff] = {
    "constant": "fixed",
    "linear": "linear",
    "exponential": "exponential_jitter",
    "exponential_jitter": "exponential_jitter",
}
UTC_ZONE = "UTC"


def kind_of(schedule: ScheduleSpec | None) -> wire.Kind:
    """What this API has no word for is started from outside, as far as it can tell."""
    match schedule:
        case CronSchedule():
            return "cron"
        case RRuleSchedule():
            return "rrule"
        case OnceSchedule():
            return "once"
        case EventSchedule():
            return "event"
        case _:
            return "condition"


def kinds_stored(kind: wire.Kind) -> tuple[str, ...]:
    """The kinds of ours that are shown as that one."""
    return ("condition", "manual", "calendar") if kind == "condition" else (kind,)


def expression_of(schedule: ScheduleSpec | None) -> str | None:
    match schedule:
        case CronSchedule() | RRuleSchedule() | ConditionSchedule():
            return schedule.expr
        case OnceSchedule():
            return schedule.at
        case EventSchedule():
            return schedule.topic
        case _:
            return None


def zone_of(schedule: ScheduleSpec | None) -> str:
    return getattr(schedule, "timezone", None) or UTC_ZONE


def backoff_of(backoff: Backoff) -> wire.Backoff:
    return BACKOFFS[backoff]

"""The keys that say when: at most one of them in a task."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from rota.config.document import Table
from rota.config.kinds import BadValue, said_as
from rota.config.quantities import duration_s
from rota.config.structs import read_struct
from rota.core.errors import Invalid
from rota.core.policy import Dst
from rota.core.schedule import (
    CalendarSchedule,
    CronSchedule,
    EventSchedule,
    OnceSchedule,
    RRuleSchedule,
    ScheduleSpec,
    compile_schedule,
)

# Only to see that a schedule compiles: a task counts from the moment it is first seen.
ANY_MOMENT = datetime(2020, 1, 1, tzinfo=UTC)


def read_schedule(table: Table, dst: Dst, timezone: str | None) -> ScheduleSpec | None:
    """The schedule of a task, checked; None if it has none or an error was found. `timezone` is the task's own, if good."""
    given = [key for key in READERS if key in table.values]
    for key in given[1:]:
        table.error(f"a task has one schedule, and {given[0]} is given too", key, on_key=True)
    if len(given) != 1:
        return None
    key = given[0]
    spec = READERS[key](table, table.values[key], timezone)
    return spec if spec is None or _compiles(table, key, spec, dst) else None


def _compiles(table: Table, key: str, spec: ScheduleSpec, dst: Dst) -> bool:
    try:
        compile_schedule(spec, dst=dst, anchor_at=ANY_MOMENT)
    except Invalid as error:
        for problem in error.problems:
            table.error(problem.message, *_where(table, key, problem.location), quotes=True)
        return False
    return True


def _where(table: Table, key: str, location: str) -> list[str | int]:
    """`entries.0.hours` under `calendar` is `calendar[0].hours`; `expr` under `cron` is `cron` itself."""
    steps: list[str | int] = [int(part) if part.isdigit() else part for part in location.split(".")]
    if key == "calendar":
        return [key, *steps[1:]]
    return [key, *steps] if isinstance(table.values[key], dict) else [key]


def _text(table: Table, value: Any, key: str) -> str | None:
    if isinstance(value, str):
        return value
    table.error(f"must be a string, not {said_as(value)}", key)
    return None


def _cron(table: Table, value: Any, timezone: str | None) -> CronSchedule | None:
    text = _text(table, value, "cron")
    if text is None:
        return None
    if text.lstrip().startswith(("CRON_TZ=", "TZ=")):
        table.error("a zone does not stand in cron; use the key timezone", "cron")
        return None
    return CronSchedule(expr=text, timezone=timezone)


def _rrule(table: Table, value: Any, timezone: str | None) -> RRuleSchedule | None:
    text = _text(table, value, "rrule")
    return None if text is None else RRuleSchedule(expr=text, timezone=timezone)


def _event(table: Table, value: Any, timezone: str | None) -> EventSchedule | None:
    text = _text(table, value, "on_event")
    return None if text is None else EventSchedule(topic=text)


def _once(table: Table, value: Any, timezone: str | None) -> OnceSchedule | None:
    if isinstance(value, datetime):
        return OnceSchedule(at=value.isoformat(), timezone=timezone)
    if not isinstance(value, str):
        hint = "; give a time of day too" if isinstance(value, date) else ""
        table.error(f'must be a moment or a duration such as "2m", not {said_as(value)}{hint}', "once")
        return None
    try:
        return OnceSchedule(after_s=duration_s(value), timezone=timezone)
    except BadValue:
        if value[:4].isdigit() and value[4:5] == "-":
            return OnceSchedule(at=value, timezone=timezone)
    table.error("must be a moment such as 2027-03-14T09:00:00Z, or a duration such as 2m or 1h30m", "once")
    return None


def _calendar(table: Table, value: Any, timezone: str | None) -> CalendarSchedule | None:
    document = {"kind": "calendar", "entries": value, "timezone": timezone}
    spec = read_struct(_Inside(table), document, CalendarSchedule, "calendar")
    return spec if isinstance(spec, CalendarSchedule) else None


def _any(table: Table, value: Any, timezone: str | None) -> ScheduleSpec | None:
    if not isinstance(value, dict):
        table.error(f"must be a table, not {said_as(value)}", "schedule")
        return None
    document = dict(value)
    if timezone and "timezone" not in value and value.get("kind") in ("cron", "rrule", "once", "calendar"):
        document["timezone"] = timezone
    if isinstance(value.get("at"), datetime):
        document["at"] = value["at"].isoformat()
    spec: ScheduleSpec | None = read_struct(table, document, ScheduleSpec, "schedule")
    return spec


class _Inside(Table):
    """Findings about the entries of a calendar, which in the file have no `entries` around them."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.document, table.path, table.values)

    def error(self, message: str, *below: str | int, on_key: bool = False, quotes: bool = False) -> None:
        super().error(message, *(step for step in below if step != "entries"), on_key=on_key, quotes=quotes)


READERS: dict[str, Callable[[Table, Any, str | None], ScheduleSpec | None]] = {
    "cron": _cron,
    "rrule": _rrule,
    "once": _once,
    "on_event": _event,
    "calendar": _calendar,
    "schedule": _any,
}

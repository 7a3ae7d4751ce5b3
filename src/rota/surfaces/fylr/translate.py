"""From what Rota knows to fylr's words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from rota.core.entry import LEVELS, decode_entry
from rota.core.module import Definition, Parameter
from rota.core.run import Run
from rota.core.schedule import CalendarSchedule
from rota.core.states import FAILURES, STOPS, SUCCESSES
from rota.core.task import Task
from rota.core.work import Module
from rota.logs import LogLine
from rota.ops.moduletasks import Shown
from rota.store.latest import Latest
from rota.surfaces.fylr import wire
from rota.surfaces.fylr.moments import stamp, stamp_or_none

INTERRUPTED = "interrupted"
# Whoever stopped the server did not mean the run.
CUT_OFF = frozenset({"node_died", "shutdown", "shutdown_overrun"})
STREAM_LEVELS: dict[str, wire.Level] = {"stdout": "info", "stderr": "warning", "system": "info"}


def wrapper(shown: Shown) -> wire.Wrapper:
    task = shown.task
    return wire.Wrapper(
        created_at=stamp(task.created_at), updated_at=stamp(task.updated_at), task=task_wire(shown), user=_user(shown)
    )


def task_wire(shown: Shown) -> wire.Task:
    task, last = shown.task, shown.latest
    work = task.spec.executor
    assert isinstance(work, Module)  # noqa: S101  no other task has a number
    run, status = last.run, status_of(last.run)
    return wire.Task(
        id=shown.number,
        version=task.version,
        task_module=work.module,
        task_params=work.params,
        task_timeout_sec=int(task.spec.policy.timeout_s or 0),
        description=task.spec.description or "",
        next_run_at=stamp_or_none(shown.next_run_at),
        frontend_prefs=shown.frontend_prefs,
        email=wire.EmailShown([wire.RecipientShown(each.email, each.problems_only) for each in task.spec.notify.mail]),
        schedules=schedules_of(task),
        state=shown.state,
        status=status,
        status_percent=run.progress if run else None,
        status_msg=_message(run, status),
        run_started_at=stamp_or_none(run.started_at if run else None),
        run_canceled_at=stamp_or_none(_canceled_at(last)),
        run_finished_at=stamp_or_none(run.ended_at if run else None),
    )


def status_of(run: Run | None) -> wire.Status:
    """Of the last run. One that will be tried again is still running."""
    if run is None:
        return "new"
    if run.state in SUCCESSES:
        return "done"
    if run.state in FAILURES or run.reason in CUT_OFF:
        return "error"
    return "canceled" if run.state in STOPS else "running"


def schedules_of(task: Task) -> list[wire.Schedule]:
    """Those of a calendar; no other kind of schedule has a form here."""
    schedule = task.spec.schedule
    if not isinstance(schedule, CalendarSchedule):
        return []
    return [
        wire.Schedule(
            days_of_month=entry.days_of_month or None,
            weekdays=entry.weekdays or None,
            hours=entry.hours or None,
            minutes=entry.minutes or None,
            timezone=entry.timezone,
        )
        for entry in schedule.entries
    ]


def module_wire(definition: Definition) -> wire.Module:
    sections = [
        wire.Section(section.name, section.group, {name: _parameter(each) for name, each in section.parameters.items()})
        for section in definition.params
    ]
    return wire.Module(definition.name, definition.displayname, definition.description, definition.debug, sections)


def entries(lines: Sequence[LogLine]) -> list[wire.Entry]:
    return [_entry(line) for line in lines]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {"type": parameter.type, "position": parameter.position, **msgspec.to_builtins(parameter)}


def _message(run: Run | None, status: wire.Status) -> str:
    if run is None or status not in ("error", "canceled"):
        return ""
    if run.reason in CUT_OFF:
        return INTERRUPTED
    return run.error or run.reason or run.state.replace("_", " ")


def _canceled_at(last: Latest) -> datetime | None:
    return last.stop_asked_at if last.stop_cause in ("cancel", "stop") else None


def _user(shown: Shown) -> wire.User:
    owner = shown.owner
    return wire.User(owner.number, 1, owner.name) if owner else wire.User(0, 1, "")


def _entry(line: LogLine) -> wire.Entry:
    said = decode_entry(line.text) if line.stream == "entry" else None
    if said is None:
        return wire.Entry(line.n, stamp(line.at), STREAM_LEVELS.get(line.stream, "info"), line.plain, None)
    level, percent = said.get("level"), said.get("percent")
    return wire.Entry(
        idx=line.n,
        timestamp=stamp(line.at),
        level=level if level in LEVELS else "info",
        msg=str(said.get("msg", line.text)),
        status_percent=percent if isinstance(percent, int) else None,
    )

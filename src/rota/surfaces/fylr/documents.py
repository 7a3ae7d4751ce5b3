"""From fylr's words to a task's document (contract §4.2, §5, §6)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from rota.core.errors import Invalid
from rota.core.policy import Dst, Policy
from rota.core.schedule import CalendarEntry, CalendarSchedule, OnceSchedule
from rota.core.task import Notify, Recipient, TaskSpec
from rota.core.work import Module
from rota.ops.beginning import Begin, Beginning, begin
from rota.ops.context import Rota
from rota.ops.modulechanges import Change
from rota.ops.moduletasks import Shown
from rota.surfaces.fylr import translate, wire
from rota.surfaces.fylr.errors import generic, no_such_module, other_version
from rota.surfaces.fylr.moments import find_moment, read_moment

FIRST_VERSION = 1
DST = Dst(gap="skip", fold="first", interval="wall")
LONGEST_MODULE = 60
NEW: dict[str, Any] = {
    "state": {}, "status": "new", "status_percent": None, "status_msg": "", "run_started_at": None, "run_canceled_at": None,
    "run_finished_at": None,
}  # fmt: skip


class Draft(msgspec.Struct, frozen=True):
    """A task that is to be made."""

    spec: TaskSpec
    beginning: Beginning
    frontend_prefs: dict[str, Any]


def read_new(rota: Rota, body: wire.TaskBody) -> Draft:
    """Raises Refused and Invalid."""
    now = rota.clock.now()
    if body.id not in (UNSET, None):
        raise generic("task._id: the server gives ids")
    if body.version not in (UNSET, None, FIRST_VERSION):
        raise other_version(FIRST_VERSION, body.version if isinstance(body.version, int) else None, "task")
    module = _given(body.task_module, None)
    if module is None:
        raise generic("task.task_module: is required")
    if rota.modules.find(module) is None:
        raise no_such_module(module)
    _check_read_only(body, NEW)
    timeout_s = _given(body.task_timeout_sec, 0)
    spec = TaskSpec(
        name=f"{module[:LONGEST_MODULE]}-{rota.ids.new()[-12:]}",
        executor=Module(module=module, params=_given(body.task_params, {})),
        description=_given(body.description, "") or None,
        policy=Policy(overlap="skip", catch_up="idle", dst=DST, timeout_s=float(timeout_s) or None, resume_after_crash=False),
        notify=Notify(mail=_recipients(_given(body.email, None))),
    )
    beginning = begin(_entries(_given(body.schedules, [])), _moment(body.next_run_at), now)
    return Draft(spec, beginning, _given(body.frontend_prefs, {}))


def read_change(body: wire.TaskBody) -> Callable[[Shown, datetime], Change]:
    """What is to change, once it is known of what. Raises Invalid for what cannot be read at all."""
    at = _moment(body.next_run_at)

    def read(shown: Shown, now: datetime) -> Change:
        before = msgspec.to_builtins(translate.task_wire(shown))
        if body.id not in (UNSET, None, shown.number):
            raise generic(f"task._id: is {shown.number}")
        if body.task_module not in (UNSET, before["task_module"]):
            raise generic("task.task_module: cannot be changed")
        _check_read_only(body, before)
        return Change(
            document=_document(body, before["task_module"]),
            beginning=_beginning(body, at, shown, now),
            frontend_prefs=UNSET if isinstance(body.frontend_prefs, UnsetType) else body.frontend_prefs or {},
        )

    return read


def _document(body: wire.TaskBody, module: str) -> dict[str, Any]:
    """A merge patch; null is the default."""
    change: dict[str, Any] = {}
    if body.description is not UNSET:
        change["description"] = body.description or None
    if body.task_params is not UNSET:
        change["executor"] = {"kind": "module", "module": module, "params": body.task_params or {}}
    if body.task_timeout_sec is not UNSET:
        change["policy"] = {"timeout_s": body.task_timeout_sec or None}
    if not isinstance(body.email, UnsetType):
        change["notify"] = {"mail": msgspec.to_builtins(_recipients(body.email)) or None}
    return change


def _beginning(body: wire.TaskBody, at: Begin, shown: Shown, now: datetime) -> Beginning | UnsetType:
    """Only what is given and other than before: a task that is sent back as it was read goes on as it was planned."""
    schedule = shown.task.spec.schedule
    before = schedule.entries if isinstance(schedule, CalendarSchedule) else []
    is_other = schedule is not None and not isinstance(schedule, CalendarSchedule | OnceSchedule)
    next_at = shown.next_run_at.replace(microsecond=0) if shown.next_run_at else None
    entries = before if isinstance(body.schedules, UnsetType) else _entries(body.schedules or [])
    has_entries = not isinstance(body.schedules, UnsetType) and (bool(entries) or bool(before))
    if at is UNSET and not has_entries:
        return UNSET
    if at == next_at and _same(entries, before):
        return UNSET
    if is_other and not entries:
        return _begin_other(at, shown, now)
    return begin(entries, next_at if at is UNSET and not entries else at, now)


def _begin_other(at: Begin, shown: Shown, now: datetime) -> Beginning:
    """A schedule that has no form here stays; it can be parked and started."""
    if isinstance(at, datetime) and at > now:
        raise generic("task.next_run_at: the schedule of this task was made elsewhere, and can only be parked or started now")
    return Beginning(schedule=shown.task.spec.schedule, start_at=at or None, is_parked=at is None)


def _same(entries: Sequence[CalendarEntry], others: Sequence[CalendarEntry]) -> bool:
    return list(entries) == list(others)


def _entries(given: Sequence[wire.Schedule]) -> list[CalendarEntry]:
    return [
        CalendarEntry(
            days_of_month=each.days_of_month or [],
            weekdays=each.weekdays or [],
            hours=each.hours or [],
            minutes=each.minutes or [],
            timezone=each.timezone,
        )
        for each in given
    ]


def _recipients(email: wire.Email | None) -> list[Recipient]:
    return list(email.recipients or []) if email else []


def _moment(given: str | UnsetType | None) -> Begin:
    return read_moment(given, "task.next_run_at") if isinstance(given, str) else given


def _given(value: Any, default: Any) -> Any:
    return default if value is UNSET or value is None else value


def _check_read_only(body: wire.TaskBody, before: dict[str, Any]) -> None:
    """Raises Invalid. What is repeated as the server has it is not written."""
    for name in wire.READ_ONLY:
        given = getattr(body, name)
        if given is not UNSET and given != before[name] and not _same_moment(given, before[name]):
            raise Invalid.at(f"task.{name}", "is the server's to write")


def _same_moment(given: Any, before: Any) -> bool:
    if not isinstance(given, str) or not isinstance(before, str):
        return False
    moment = find_moment(given)
    return moment is not None and moment == find_moment(before)

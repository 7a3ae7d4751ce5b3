"""From Ordinaut's task documents to ours (contract §4 to §6)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET, Struct, structs

from rota.config.settings import OrdinautAccess
from rota.core.errors import Invalid, Problem
from rota.core.pipeline.language import Options, Step
from rota.core.planning import open_schedule
from rota.core.policy import Backoff, Dst, Policy, Retry
from rota.core.schedule import (
    ConditionSchedule,
    CronSchedule,
    EventSchedule,
    OnceSchedule,
    RRuleSchedule,
    ScheduleSpec,
)
from rota.core.task import Task, TaskSpec
from rota.core.work import Pipeline, Work
from rota.surfaces.ordinaut import wire
from rota.surfaces.ordinaut.asking import find_problems
from rota.surfaces.ordinaut.errors import relocate
from rota.surfaces.ordinaut.shape import UTC_ZONE, expression_of, kind_of, zone_of

# Where our documents' problems are in theirs.
PLACES = (
    ("body.executor.steps", "body.payload.pipeline"),
    ("body.executor", "body.payload"),
    ("body.schedule.timezone", "body.timezone"),
    *((f"body.schedule.{name}", "body.schedule_expr") for name in ("expr", "at", "topic")),
    ("body.policy.dedupe_window_s", "body.dedupe_window_seconds"),
    ("body.policy.retry.attempts", "body.max_retries"),
    ("body.policy", "body"),
)
BACKOFFS: dict[wire.Backoff, Backoff] = {
    "exponential_jitter": "exponential_jitter",
    "linear": "linear",
    "fixed": "constant",
}
# Runs of one task may overlap; what keeps them apart is a concurrency key.
MOST_AT_ONCE, MOST_WAITING = 1024, 10_000
GRACE_S = 3600.0
DST = Dst(gap="shift")
# A once that is no later than this is due now.
LATE = timedelta(seconds=60)
MOST_NAMED = 60
PLANNING = ("schedule_kind", "schedule_expr", "timezone")
# Stands for one that is missing or no object, which is a problem of its own.
NO_PAYLOAD: dict[str, Any] = {"pipeline": []}


class Change(Struct, frozen=True):
    """A merge patch of a task's document, and what is no part of that. `payload` as it was sent."""

    document: dict[str, Any]
    payload: dict[str, Any] | None
    status: wire.TaskStatus | None
    owner_id: str | None


def read_task(document: dict[str, Any], unique: str, now: datetime, told: OrdinautAccess) -> tuple[wire.TaskBody, TaskSpec]:
    """The body, and the task that it asks for; `unique` makes its name no other's. Raises Invalid with every problem at once."""
    values, problems = find_problems(document, wire.TaskBody, "body")
    work, more = _find_work(values.get("payload", NO_PAYLOAD))
    problems += more
    schedule: ScheduleSpec = ConditionSchedule()
    if _can_plan(values, problems):
        kind, zone = values["schedule_kind"], values.get("timezone", UTC_ZONE)
        schedule, more = _find_schedule(kind, values.get("schedule_expr"), zone, now)
        problems += more
    _raise(problems)
    body = wire.TaskBody(**values)
    retry = Retry(
        attempts=body.max_retries,
        backoff=BACKOFFS[body.backoff_strategy],
        delay_s=told.backoff_base,
        cap_s=max(told.backoff_base, told.backoff_max),
    )
    return body, _task(body, name_of(body.title, unique), work, schedule, retry)


def _task(body: wire.TaskBody, task_name: str, work: Pipeline, schedule: ScheduleSpec, retry: Retry) -> TaskSpec:
    return TaskSpec(
        name=task_name,
        title=body.title,
        description=body.description,
        executor=work,
        schedule=schedule,
        policy=Policy(
            max_concurrent=MOST_AT_ONCE,
            queue_max=MOST_WAITING,
            concurrency_key=body.concurrency_key or None,
            dedupe_key=body.dedupe_key or None,
            dedupe_window_s=float(body.dedupe_window_seconds),
            priority=body.priority,
            retry=retry,
            catch_up="latest",
            misfire_grace_s=_grace_s(body.schedule_kind),
            dst=DST,
        ),
    )


def read_change(given: dict[str, Any], task: Task, now: datetime) -> Change:
    """What is given, as a change of that task. Raises Invalid with every problem at once."""
    values, problems = find_problems(given, wire.TaskChange, "body")
    body = wire.TaskChange(**values)
    document: dict[str, Any] = {}
    for name in ("title", "description"):
        if getattr(body, name) is not UNSET:
            document[name] = getattr(body, name)
    policy = _policy_change(body)
    if body.payload is not UNSET:
        work, more = _find_work(body.payload)
        problems += more
        document["executor"] = msgspec.to_builtins(work)
    is_moved = any(each is not UNSET for each in (body.schedule_kind, body.schedule_expr, body.timezone))
    if is_moved and not _names_any(problems, PLANNING):
        schedule, more = _changed_schedule(body, task, now)
        problems += more
        if schedule != task.spec.schedule:
            document["schedule"] = msgspec.to_builtins(schedule)
            policy["misfire_grace_s"] = _grace_s(kind_of(schedule))
    _raise(problems)
    if policy:
        document["policy"] = policy
    return Change(
        document,
        None if body.payload is UNSET else body.payload,
        None if body.status is UNSET else body.status,
        None if body.created_by is UNSET else str(body.created_by),
    )


def _can_plan(values: dict[str, Any], problems: list[Problem]) -> bool:
    """Whether the parts of a schedule could be read."""
    return "schedule_kind" in values and not _names_any(problems, PLANNING)


def _names_any(problems: list[Problem], fields: tuple[str, ...]) -> bool:
    return any(problem.location == f"body.{field}" for problem in problems for field in fields)


def says(payload: dict[str, Any], work: Work) -> bool:
    """Whether this payload means that work."""
    meant, problems = _find_work(payload)
    return not problems and meant == work


def in_our_words(error: Invalid) -> Invalid:
    return relocate(error, PLACES)


def name_of(title: str, unique: str) -> str:
    """A name that says what the task is, and is no other's."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()[:MOST_NAMED].strip("-")
    return f"{words or 'task'}-{unique.replace('-', '')[-12:]}"


def _policy_change(body: wire.TaskChange) -> dict[str, Any]:
    given = {
        "priority": body.priority,
        "concurrency_key": body.concurrency_key,
        "dedupe_key": body.dedupe_key,
        "dedupe_window_s": body.dedupe_window_seconds,
    }
    # An empty key is none.
    policy: dict[str, Any] = {name: None if value == "" else value for name, value in given.items() if value is not UNSET}
    retry: dict[str, Any] = {}
    if body.max_retries is not UNSET:
        retry["attempts"] = body.max_retries
    if body.backoff_strategy is not UNSET:
        retry["backoff"] = BACKOFFS[body.backoff_strategy]
    return {**policy, "retry": retry} if retry else policy


def _changed_schedule(body: wire.TaskChange, task: Task, now: datetime) -> tuple[ScheduleSpec, list[Problem]]:
    before = task.spec.schedule
    kind = kind_of(before) if body.schedule_kind is UNSET else body.schedule_kind
    expr = expression_of(before) if body.schedule_expr is UNSET else body.schedule_expr
    zone = zone_of(before) if body.timezone is UNSET else body.timezone
    return _find_schedule(kind, expr, zone, now)


def _find_work(payload: dict[str, Any]) -> tuple[Pipeline, list[Problem]]:
    at = "body.payload"
    pipeline, params, options = payload.get("pipeline"), payload.get("params"), payload.get("options")
    problems: list[Problem] = []
    if not isinstance(pipeline, list):
        why = "is required" if "pipeline" not in payload else "expected `array`"
        problems.append(Problem(f"{at}.pipeline", why))
    if not isinstance(params, dict | None):
        problems.append(Problem(f"{at}.params", "expected `object`"))
    read, more = find_problems(options if isinstance(options, dict) else {}, Options, f"{at}.options")
    steps: list[Step] = []
    for index, step in enumerate(pipeline if isinstance(pipeline, list) else []):
        found = _find_step(step, f"{at}.pipeline.{index}")
        if isinstance(found, Step):
            steps.append(found)
        else:
            problems += found
    problems += more
    work = Pipeline(steps=steps, params=params if isinstance(params, dict) else {}, options=Options(**read))
    return work, problems


def _find_step(step: Any, at: str) -> Step | list[Problem]:
    if not isinstance(step, dict):
        return [Problem(at, "expected `object`")]
    values, problems = find_problems(step, Step, at)
    return problems or Step(**values)


def _find_schedule(kind: wire.Kind, expr: str | None, zone: str, now: datetime) -> tuple[ScheduleSpec, list[Problem]]:
    schedule = _schedule(kind, expr, zone)
    if kind != "event" and not (expr or "").strip():
        return schedule, [Problem("body.schedule_expr", f"is required for the kind {kind}")]
    if kind == "cron" and len((expr or "").split()) == 6 and not (expr or "").startswith("@"):
        message = "must have five fields: minute hour day-of-month month day-of-week"
        return schedule, [Problem("body.schedule_expr", message, expr)]
    try:
        first = open_schedule(schedule, DST, now, "UTC").next_at
        _check_zone(zone, now)
    except Invalid as error:
        moved = Invalid(
            error.message, [structs.replace(each, location=f"body.schedule.{each.location}") for each in error.problems]
        )
        return schedule, in_our_words(moved).problems
    if kind == "once" and first is not None and first < now - LATE:
        message = f"lies in the past: it was {first.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return schedule, [Problem("body.schedule_expr", message, expr)]
    return schedule, []


def _check_zone(zone: str, now: datetime) -> None:
    """Of the kinds too that have no wall time. Raises Invalid at `timezone`."""
    open_schedule(CronSchedule("0 0 * * *", zone), DST, now, "UTC")


def _schedule(kind: wire.Kind, expr: str | None, zone: str) -> ScheduleSpec:
    match kind:
        case "cron":
            return CronSchedule(expr or "", zone)
        case "rrule":
            return RRuleSchedule(expr or "", zone)
        case "once":
            return OnceSchedule(at=expr or "", timezone=zone)
        case "event":
            return EventSchedule(expr or None, zone)
        case "condition":
            return ConditionSchedule(expr, zone)


def _grace_s(kind: wire.Kind) -> float | None:
    """A once that was missed is run, however late."""
    return None if kind == "once" else GRACE_S


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)

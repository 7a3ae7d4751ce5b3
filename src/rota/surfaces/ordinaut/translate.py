"""From our words to Ordinaut's: tasks, attempts, agents, events, numbers."""

from typing import Any

import msgspec

from rota.core.event import Event
from rota.core.occurrence import Occurrence
from rota.core.run import Trigger
from rota.core.schedule import EventSchedule
from rota.core.states import State
from rota.core.task import Task
from rota.core.work import Pipeline
from rota.ops.agents import SYSTEM_ID
from rota.ops.context import Rota
from rota.ops.events import Heard
from rota.store.audit import Entry
from rota.store.statistics import Went
from rota.store.users import User
from rota.surfaces.ordinaut import documents, shape, wire
from rota.surfaces.ordinaut.moments import stamp, stamp_or_none

HIDDEN = "[Error details hidden - use include_errors=true]"
STATUSES: dict[State, wire.RunStatus] = {
    "pending": "queued",
    "running": "running",
    "succeeded": "success",
    "failed": "failed",
    "timed_out": "failed",
    "crashed": "failed",
    "stopped": "canceled",
    "canceled": "canceled",
    "skipped": "skipped",
    "queue_full": "skipped",
    "missed": "skipped",
}
SUCCESS: dict[wire.RunStatus, bool | None] = {"success": True, "failed": False, "canceled": False}
TRIGGERS: dict[Trigger, wire.Trigger] = {
    "schedule": "schedule",
    "catch_up": "schedule",
    "startup": "schedule",
    "service": "schedule",
    "event": "event",
    "api": "run_now",
    "cli": "run_now",
    "task": "run_now",
}


def task_wire(rota: Rota, task: Task, written: dict[str, Any] | None = None) -> wire.Task:
    """`written`: the payload as its author sent it, which is shown as long as it says what the task does."""
    spec, policy = task.spec, task.spec.policy
    return wire.Task(
        id=task.id,
        title=spec.title or spec.name,
        description=spec.description or "",
        schedule_kind=shape.kind_of(spec.schedule),
        schedule_expr=shape.expression_of(spec.schedule),
        timezone=shape.zone_of(spec.schedule),
        payload=written if written is not None and documents.says(written, spec.executor) else payload_of(task),
        created_by=task.owner_id or SYSTEM_ID,
        priority=policy.priority,
        max_retries=policy.retry.attempts,
        backoff_strategy=shape.backoff_of(policy.retry.backoff),
        dedupe_key=policy.dedupe_key,
        dedupe_window_seconds=int(policy.dedupe_window_s),
        concurrency_key=policy.concurrency_key,
        status=task.status if task.status != "removed" else "canceled",
        created_at=stamp(task.created_at),
        updated_at=stamp(task.updated_at),
        next_run_at=stamp_or_none(task.next_at) if task.status == "active" else None,
        warnings=_warnings(rota, task),
    )


def payload_of(task: Task) -> dict[str, Any]:
    work = task.spec.executor
    if not isinstance(work, Pipeline):
        return {"params": task.spec.params, "pipeline": []}
    payload: dict[str, Any] = {"params": work.params, "pipeline": msgspec.to_builtins(work.steps)}
    options = msgspec.to_builtins(work.options)
    return {**payload, "options": options} if options else payload


def _warnings(rota: Rota, task: Task) -> list[str]:
    work, schedule = task.spec.executor, task.spec.schedule
    warnings = [f"the tool {name} is not known here" for name in rota.tools.unknown(work)] if isinstance(work, Pipeline) else []
    if isinstance(schedule, EventSchedule) and schedule.topic is None:
        warnings.append("it waits for no topic (schedule_expr), so no event starts it")
    return warnings


def run_wire(occurrence: Occurrence, *, with_errors: bool = True) -> wire.Run:
    run = occurrence.run
    is_latest = occurrence.id == (run.attempt_id or run.id)
    status = STATUSES[occurrence.state]
    output = occurrence.output if occurrence.is_over else None
    started, ended = occurrence.started_at, occurrence.ended_at
    return wire.Run(
        id=occurrence.id,
        task_id=run.task_id,
        lease_owner=f"worker-{run.holder}" if is_latest and run.holder else None,
        leased_until=None,
        started_at=stamp_or_none(started),
        finished_at=stamp_or_none(ended),
        success=SUCCESS.get(status),
        error=_error(occurrence, with_errors),
        attempt=occurrence.retry + 1,
        output=output if with_errors else _without_error(output),
        created_at=stamp(occurrence.created_at),
        duration_ms=round((ended - started).total_seconds() * 1000) if started and ended else None,
        status=status,
        trigger="retry" if occurrence.retry else TRIGGERS[run.trigger],
        scheduled_for=stamp_or_none(run.nominal_at),
        error_type=_error_type(occurrence, output),
    )


def _error(occurrence: Occurrence, with_errors: bool) -> str | None:
    if occurrence.error is None or with_errors:
        return occurrence.error
    return HIDDEN


def _without_error(output: Any) -> Any:
    summary = _summary(output)
    if "error" not in summary:
        return output
    hidden = {"error": HIDDEN} if "error" in output else {}
    return {**output, **hidden, "_execution_summary": {**summary, "error": HIDDEN}}


def _error_type(occurrence: Occurrence, output: Any) -> str | None:
    found = _summary(output).get("error_type")
    return str(found) if found else occurrence.reason


def _summary(output: Any) -> dict[str, Any]:
    found = output.get("_execution_summary") if isinstance(output, dict) else None
    return found if isinstance(found, dict) else {}


def agent_wire(agent: User) -> wire.Agent:
    return wire.Agent(
        id=agent.id,
        name=agent.name,
        scopes=list(agent.scopes or ()),
        webhook_url=agent.webhook_url,
        created_at=stamp(agent.created_at),
    )


def stream_id(event: Event) -> str:
    """`<ms>-<n>` as Redis has it: both are in our ids, which rise in the same order."""
    digits = event.id.replace("-", "")
    if digits[12] != "7":  # published by a step of a run, whose id says which
        return f"{int(event.at.timestamp() * 1000)}-0"
    return f"{int(digits[:12], 16)}-{int(digits[13:16], 16)}"


def event_wire(heard: Heard) -> wire.StreamEvent:
    event = heard.event
    return wire.StreamEvent(
        event_id=event.id,
        topic=event.topic,
        payload=event.payload,
        source_agent_id=event.actor_id,
        published_at=stamp(event.at),
        published_by=heard.publisher,
        stream_id=stream_id(event),
    )


def entry_wire(entry: Entry) -> wire.AuditEntry:
    return wire.AuditEntry(
        id=entry.id,
        actor_agent_id=entry.actor_id,
        action=entry.action,
        subject_id=entry.subject_id,
        details=entry.details,
        at=stamp(entry.at),
    )


def task_stats(went: Went, task_id: str, days: int) -> wire.TaskStats:
    return wire.TaskStats(
        task_id=task_id,
        **_rates(went, days),
        last_run=stamp_or_none(went.last_at),
        last_success=stamp_or_none(went.last_success_at),
        last_failure=stamp_or_none(went.last_failure_at),
    )


def summary(went: Went, days: int) -> wire.Summary:
    return wire.Summary(**_rates(went, days), total_tasks_executed=went.tasks, runs_per_day=round(went.total / days, 1))


def _rates(went: Went, days: int) -> dict[str, Any]:
    return {
        "period_days": days,
        "total_runs": went.total,
        "successful_runs": went.succeeded,
        "failed_runs": went.failed,
        "success_rate": round(went.succeeded / went.total, 3) if went.total else 0.0,
        "failure_rate": round(went.failed / went.total, 3) if went.total else 0.0,
        "avg_execution_time_seconds": round(went.average_s, 2),
    }


def work_item_id(run_id: str) -> int:
    """A whole number for a run, below 2^53: the moment and the count within it, which make our ids unique."""
    digits = run_id.replace("-", "")
    return int(digits[:12] + digits[13:16], 16) & (2**53 - 1)

"""From our words to RunWisp's: tasks, runs, log lines."""

from datetime import datetime
from typing import Any

import msgspec

from rota.core import task as core_task
from rota.core.inputs import Input
from rota.core.notification import Notification
from rota.core.policy import Policy
from rota.core.schedule import CronSchedule
from rota.core.schedule.zone import get_clock
from rota.core.ulid import to_ulid
from rota.core.work import Compose, Shell, Work
from rota.logs import LogLine, LogPage
from rota.modules.catalogue import Catalogue
from rota.ops.context import VariableFiles
from rota.ops.logsearch import Hit
from rota.ops.occurrences import Shown
from rota.surfaces.runwisp import wire, words


def task_wire(task: core_task.Task, files: VariableFiles, default_timezone: str) -> wire.Task:
    spec, service = task.spec, task.spec.service
    facts: dict[str, Any] = {
        "name": spec.name,
        "kind": "task" if service is None else "service",
        "description": spec.description,
        "group": spec.group,
        "api_trigger": spec.api_trigger,
        "autostart": service is None or service.autostart,
        "env_file": files.env_file,
        "secrets_file": files.secrets_file,
        **_common(spec.policy),
        **(_of_task(task, default_timezone) if service is None else _of_service(spec)),
        **_of_work(spec.executor),
    }
    return wire.Task(**facts)


def _common(policy: Policy) -> dict[str, Any]:
    return {
        "on_overlap": policy.overlap,
        "graceful_stop": _ns(policy.stop.grace_s),
        "stop_signal": policy.stop.signal,
        "exit_codes": policy.exit_codes,
        "log_max_size": policy.log.max_size,
        "log_on_full": policy.log.on_full,
        "keep_runs": policy.keep_runs or 0,
        "keep_for": _ns(policy.keep_for_s),
    }


def _of_task(task: core_task.Task, default_timezone: str) -> dict[str, Any]:
    spec, policy = task.spec, task.spec.policy
    return {
        "next_run_at": next_run_at(task, default_timezone),
        "jitter": _ns(policy.jitter_s),
        "run_on_start": spec.run_on_start,
        "catch_up": policy.catch_up,
        "max_catch_up_runs": policy.max_catch_up,
        "max_concurrent": policy.max_concurrent,
        "queue_max": policy.queue_max,
        "timeout": _ns(policy.timeout_s),
        "retry_attempts": policy.retry.attempts,
        "retry_delay": _ns(policy.retry.delay_s),
        "retry_backoff": policy.retry.backoff,
        "parameters": [_parameter(item) for item in spec.inputs or ()] or None,
        **_of_cron(spec),
        **_of_restart(policy),
    }


def _of_cron(spec: core_task.TaskSpec) -> dict[str, Any]:
    schedule = spec.schedule
    zone = getattr(schedule, "timezone", None)
    return {"cron": schedule.expr if isinstance(schedule, CronSchedule) else None, "timezone": zone}


def _of_restart(policy: Policy) -> dict[str, Any]:
    if policy.restart is None:
        return {"restart": "never"}
    return {
        "restart": "on_failure",
        "restart_delay": _ns(policy.restart.delay_s),
        "restart_backoff": policy.restart.backoff,
        "healthy_after": _ns(policy.restart.healthy_after_s),
        "start_retries": policy.restart.start_retries,
    }


def _of_service(spec: core_task.TaskSpec) -> dict[str, Any]:
    service = spec.service
    assert service is not None  # noqa: S101  that is what makes it one
    return {
        "restart": service.restart,
        "restart_delay": _ns(service.restart_delay_s),
        "restart_backoff": service.restart_backoff,
        "healthy_after": _ns(service.healthy_after_s),
        "start_retries": service.start_retries,
        "instances": service.instances,
        "priority": service.order,
        "depends_on": service.depends_on or None,
    }


def _of_work(work: Work) -> dict[str, Any]:
    """Scripts and compose; what else a task may do has no fields here."""
    if isinstance(work, Shell):
        return {**_of_process(work), "shell": work.shell, "umask": work.umask, "user": work.user}
    if isinstance(work, Compose):
        return {
            **_of_process(work),
            "compose": wire.Compose(file=work.file, project_name=work.project_name, service=work.service),
        }
    return {}


def _of_process(work: Shell | Compose) -> dict[str, Any]:
    return {"env": dict(sorted(work.env.items())) or None, "working_dir": work.working_dir}


def next_run_at(task: core_task.Task, default_timezone: str) -> datetime | None:
    """The next tick, before any jitter, on the clock of the schedule's zone."""
    if task.next_at is None or task.status != "active":
        return None
    zone = getattr(task.spec.schedule, "timezone", None) or default_timezone
    return task.next_at.astimezone(get_clock(zone).zone)


def brief_wire(task: core_task.Task, default_timezone: str) -> wire.TaskBrief:
    return wire.TaskBrief(
        name=task.name,
        kind="service" if task.is_service else "task",
        cron=_of_cron(task.spec)["cron"],
        next_run_at=next_run_at(task, default_timezone),
    )


def _parameter(item: Input) -> wire.Parameter:
    return wire.Parameter(
        kind=item.kind,
        key=item.key,
        type=None if item.kind == "flag" else item.type,
        choices=item.choices,
        default=item.default,
        required=item.required,
        allow_custom=item.allow_custom,
        description=item.description,
    )


def _ns(seconds: float | None) -> int:
    return round(seconds * 1_000_000_000) if seconds else 0


def run_wire(shown: Shown, modules: Catalogue) -> wire.Run:
    """Without the secrets of modules among its params."""
    occurrence, run = shown.occurrence, shown.occurrence.run
    return wire.Run(
        id=to_ulid(occurrence.id),
        task_name=shown.task_name,
        status=words.phase_of(occurrence.state),
        end_reason=words.end_reason_of(occurrence.state, occurrence.reason),
        exit_code=occurrence.exit_code,
        triggered_by=words.triggered_by(run.trigger),
        created_at=occurrence.created_at,
        start_at=occurrence.started_at,
        end_at=occurrence.ended_at,
        retry_attempt=occurrence.retry,
        retry_of_run_id=to_ulid(occurrence.previous_id) if occurrence.previous_id else None,
        instance_index=run.instance,
        params={key: _text(value) for key, value in modules.hide(run.params).items() if value is not None} or None,
    )


def notification_wire(line: Notification) -> wire.Notification:
    run_id = line.attempt_id or line.run_id
    return wire.Notification(
        id=to_ulid(line.id),
        kind=line.kind,
        severity=line.severity,
        title=line.title,
        body=line.body,
        task_name=line.task_name or "",
        run_id=to_ulid(run_id) if run_id else "",
        fingerprint=line.fingerprint,
        count=line.count,
        occurrences=line.occurrences,
        created_at=line.created_at,
        last_occurred_at=line.last_occurred_at,
        read_at=line.read_at,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def page_wire(page: LogPage) -> wire.LogPage:
    return wire.LogPage(
        lines=[line_wire(line) for line in page.lines],
        first_available=page.first_available,
        total_lines=page.total_lines,
        truncated=page.truncated,
        finalized=page.finalized,
    )


def line_wire(line: LogLine) -> wire.LogLine:
    frames = line.frame_count if isinstance(line.frame_count, int) else 0
    return wire.LogLine(line.n, _ms(line), words.stream_of(line.stream), line.plain, line.continued, frames)


def hit_wire(hit: Hit) -> wire.Hit:
    line = hit.line
    return wire.Hit(to_ulid(hit.run_id), line.n, words.stream_of(line.stream), line.plain, _ms(line))


def _ms(line: LogLine) -> int:
    return int(line.at.timestamp() * 1000)

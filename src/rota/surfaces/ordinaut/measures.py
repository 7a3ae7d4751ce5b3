"""Metrics under the names that Ordinaut documents (contract §10). Nothing is counted per task: tasks have no bound."""

from collections.abc import Iterable

from rota.core.states import ENDED
from rota.http.metrics import buckets, family
from rota.ops.agentnumbers import Made
from rota.ops.health import Load
from rota.surfaces.ordinaut.meters import Meters
from rota.surfaces.ordinaut.translate import STATUSES
from rota.vitals import Vitals


def metrics_text(vitals: Vitals, load: Load, made: Iterable[Made], meters: Meters) -> bytes:
    statuses = sorted({STATUSES[state] for state in ENDED})
    ended = {status: sum(vitals.ended[state] for state in ENDED if STATUSES[state] == status) for status in statuses}
    lines = [
        *family("orchestrator_tasks_created_total", "counter", "Tasks that agents have made."),
        *(
            f'orchestrator_tasks_created_total{{schedule_kind="{each.schedule_kind}",agent_id="{each.agent_id}"}} {each.tasks}'
            for each in made
        ),
        *family("orchestrator_runs_total", "counter", "Runs that ended, by status."),
        *(f'orchestrator_runs_total{{status="{status}"}} {count}' for status, count in ended.items()),
        *family("orchestrator_task_duration_seconds", "histogram", "How long runs took."),
        *buckets("orchestrator_task_duration_seconds", vitals.durations),
        *family("orchestrator_step_duration_seconds", "histogram", "How long finished steps of pipelines took."),
        *buckets("orchestrator_step_duration_seconds", vitals.steps),
        *_gauge("orchestrator_due_work_queue_depth", "Runs that wait.", load.live.get("pending", 0)),
        *_gauge("orchestrator_scheduler_lag_seconds", "How late the last slot was handled.", vitals.lag_s),
        *_gauge("orchestrator_active_workers", "Execution slots that are busy.", vitals.running),
        *family("orchestrator_worker_heartbeat_total", "counter", "Attempts that were started."),
        f"orchestrator_worker_heartbeat_total {vitals.started}",
        *family("orchestrator_http_request_duration_seconds", "histogram", "How long requests of this API took."),
        *buckets("orchestrator_http_request_duration_seconds", meters.requests),
        *family("orchestrator_security_events_total", "counter", "Requests that were refused, by status."),
        *(f'orchestrator_security_events_total{{event="{kind}"}} {n}' for kind, n in sorted(meters.refusals.items())),
        *family("orchestrator_authentication_attempts_total", "counter", "Log-ins of agents."),
        *(
            f'orchestrator_authentication_attempts_total{{result="{result}"}} {meters.logins[result]}'
            for result in ("success", "failure")
        ),
    ]
    return ("\n".join(lines) + "\n").encode()


def _gauge(name: str, meaning: str, value: float) -> Iterable[str]:
    yield from family(name, "gauge", meaning)
    yield f"{name} {value}"

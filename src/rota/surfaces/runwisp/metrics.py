"""Numbers under RunWisp's names, in the text form of OpenMetrics 1.0 (contract §16.4)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from rota import __version__
from rota.core.states import ENDED, FAILURES, SUCCESSES
from rota.http.metrics import MEDIA_TYPE, buckets, family
from rota.ops.context import Rota
from rota.ops.statistics import Active
from rota.surfaces.runwisp.words import end_reason_of

__all__ = ["MEDIA_TYPE", "metrics_text"]


def metrics_text(rota: Rota, active: Iterable[Active], last_failure_at: datetime | None) -> bytes:
    """All families, ended by `# EOF`. Counters count from the start of this server."""
    vitals, sample = rota.vitals, rota.machine.samples()[-1]
    uptime_s = (rota.clock.now() - vitals.started_at).total_seconds()
    lines = [
        *family("runwisp_build", "info", "The version that runs."),
        f'runwisp_build_info{{version="{__version__}"}} 1',
        *family("runwisp_runs", "counter", "Runs that ended, by outcome."),
        *_outcomes(rota),
        *family("runwisp_runs_ended", "counter", "Runs that ended, by end reason."),
        *_reasons(rota),
        *_last_failure(last_failure_at),
        *family("runwisp_task_active_runs", "gauge", "Runs that are going on, by task."),
        *(f'runwisp_task_active_runs{{task="{each.task}",kind="{each.kind}"}} {each.running}' for each in active),
        *_gauge("runwisp_queued_runs", "Runs that wait.", sum(each.waiting for each in active)),
        *_gauge("runwisp_scheduler_lag_seconds", "How late the last planned instant was handled.", vitals.lag_s, "seconds"),
        *_gauge("runwisp_daemon_cpu_percent", "Of the machine.", sample.cpu),
        *_gauge("runwisp_daemon_memory_used_bytes", "Of the machine.", sample.mem_used, "bytes"),
        *_gauge("runwisp_daemon_memory_total_bytes", "Of the machine.", sample.mem_total, "bytes"),
        *_gauge("runwisp_daemon_uptime_seconds", "Since this server started.", uptime_s, "seconds"),
        *family("runwisp_run_duration_seconds", "histogram", "How long runs took from start to end.", "seconds"),
        *buckets("runwisp_run_duration_seconds", vitals.durations),
        "# EOF",
    ]
    return ("\n".join(lines) + "\n").encode()


def _outcomes(rota: Rota) -> Iterator[str]:
    for outcome, states in (("success", SUCCESSES), ("failed", FAILURES), ("other", ENDED - SUCCESSES - FAILURES)):
        yield f'runwisp_runs_total{{status="{outcome}"}} {sum(rota.vitals.ended[state] for state in states)}'


def _reasons(rota: Rota) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for state in sorted(ENDED):
        counts[end_reason_of(state, None) or ""] += rota.vitals.ended[state]
    yield from (f'runwisp_runs_ended_total{{end_reason="{reason}"}} {count}' for reason, count in counts.items())


def _last_failure(at: datetime | None) -> Iterator[str]:
    if at is not None:
        yield from _gauge("runwisp_runs_last_failure_timestamp_seconds", "When a run last failed.", at.timestamp(), "seconds")


def _gauge(name: str, meaning: str, value: float, unit: str | None = None) -> Iterator[str]:
    yield from family(name, "gauge", meaning, unit)
    yield f"{name} {value}"

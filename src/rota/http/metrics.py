"""Numbers for Prometheus, in the text form of OpenMetrics 1.0."""

from collections.abc import Iterator

from rota import __version__
from rota.core.states import ENDED
from rota.ops.health import Load
from rota.vitals import DURATION_BOUNDS_S, Histogram, Vitals

MEDIA_TYPE = b"application/openmetrics-text; version=1.0.0; charset=utf-8"


def metrics_text(vitals: Vitals, load: Load) -> bytes:
    """All families, ended by `# EOF`. Counters count from the start of this server."""
    lines = [
        *family("rota_build", "info", "The version that runs."),
        f'rota_build_info{{version="{__version__}"}} 1',
        *family("rota_start_time_seconds", "gauge", "When this server started, Unix time.", "seconds"),
        f"rota_start_time_seconds {vitals.started_at.timestamp()}",
        *family("rota_runs", "counter", "Runs that ended, by final state."),
        *(f'rota_runs_total{{state="{state}"}} {vitals.ended[state]}' for state in sorted(ENDED)),
        *_single("rota_attempts_started", "counter", "Attempts that were started.", vitals.started),
        *_single("rota_slots_fired", "counter", "Planned instants that were turned into runs.", vitals.fired),
        *_single("rota_retries", "counter", "Attempts that are to be tried again.", vitals.retried),
        *_single("rota_running_runs", "gauge", "Runs that are going on.", load.live.get("running", 0)),
        *_single("rota_pending_runs", "gauge", "Runs that wait.", load.live.get("pending", 0)),
        *family("rota_scheduler_lag_seconds", "gauge", "How late the last planned instant was handled.", "seconds"),
        f"rota_scheduler_lag_seconds {vitals.lag_s}",
        *family("rota_tokens", "counter", "Tokens that language models took, by provider and kind."),
        *(
            f'rota_tokens_total{{provider="{provider}",kind="{kind}"}} {count}'
            for (provider, kind), count in sorted(vitals.tokens.items())
        ),
        *family("rota_run_duration_seconds", "histogram", "How long runs took from start to end.", "seconds"),
        *buckets("rota_run_duration_seconds", vitals.durations),
        "# EOF",
    ]
    return ("\n".join(lines) + "\n").encode()


def family(name: str, kind: str, meaning: str, unit: str | None = None) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    if unit:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {meaning}"


def _single(name: str, kind: str, meaning: str, value: float) -> Iterator[str]:
    yield from family(name, kind, meaning)
    yield f"{name}_total {value}" if kind == "counter" else f"{name} {value}"


def buckets(name: str, histogram: Histogram) -> Iterator[str]:
    total = 0
    for bound, count in zip(DURATION_BOUNDS_S, histogram.counts, strict=False):
        total += count
        yield f'{name}_bucket{{le="{bound}"}} {total}'
    total += histogram.counts[-1]
    yield f'{name}_bucket{{le="+Inf"}} {total}'
    yield f"{name}_sum {histogram.sum_s}"
    yield f"{name}_count {total}"

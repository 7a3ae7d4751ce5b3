"""RunWisp's words for what we call otherwise: phases, end reasons, what started a run (contract §5)."""

from typing import Literal, cast, get_args

from rota import logs
from rota.core.run import Trigger
from rota.core.states import ENDED, SUCCESSES, Reason, State
from rota.executors.environment import TRIGGERED_BY

Phase = Literal["pending", "running", "ended"]
EndReason = Literal[
    "success", "failed", "timeout", "crashed", "log_overflow", "start_failed", "stopped", "skipped", "queue_full", "dst_skipped",
    "daemon_stopped", "missed",
]  # fmt: skip
TriggeredBy = Literal["cron", "api", "service", "startup"]
Stream = Literal["stdout", "stderr", "system"]

PHASES: tuple[Phase, ...] = get_args(Phase)
END_REASONS: tuple[EndReason, ...] = get_args(EndReason)
TRIGGERS: tuple[TriggeredBy, ...] = get_args(TriggeredBy)
STATES: tuple[State, ...] = get_args(State)
REASONS: tuple[str, ...] = ("", *get_args(Reason))

_BY_STATE: dict[State, EndReason] = {
    "succeeded": "success",
    "failed": "failed",
    "timed_out": "timeout",
    "crashed": "crashed",
    "stopped": "stopped",
    "canceled": "stopped",
    "skipped": "skipped",
    "queue_full": "queue_full",
    "missed": "missed",
}
# A reason that says more than the state beside it.
_BY_REASON: dict[str, EndReason] = {
    "log_overflow": "log_overflow",
    "start_failed": "start_failed",
    "shutdown_overrun": "daemon_stopped",
    "dst_fold": "dst_skipped",
    "retry_refused": "skipped",
}


def phase_of(state: State) -> Phase:
    return "ended" if state in ENDED else "running" if state == "running" else "pending"


def end_reason_of(state: State, reason: str | None) -> EndReason | None:
    """None for what has not ended."""
    return _BY_REASON.get(reason or "", _BY_STATE[state]) if state in ENDED else None


def event_of(state: State) -> str:
    """The kind of event that tells of such an end."""
    return "run.completed" if state in SUCCESSES else "run.failed"


def states_of(words: set[str]) -> tuple[tuple[State, tuple[str, ...] | None], ...]:
    """The states, each with the reasons that count (None: any), which are shown as one of these phases or end reasons."""
    found: list[tuple[State, tuple[str, ...] | None]] = []
    for state in STATES:
        reasons = tuple(reason for reason in REASONS if phase_of(state) in words or end_reason_of(state, reason) in words)
        if reasons:
            found.append((state, None if len(reasons) == len(REASONS) else reasons))
    return tuple(found)


def stream_of(stream: logs.Stream) -> Stream:
    """Entries are what the work says of itself."""
    return "stdout" if stream == "entry" else stream


def triggered_by(trigger: Trigger) -> TriggeredBy:
    return cast("TriggeredBy", TRIGGERED_BY[trigger])


def triggers_of(words: set[str]) -> tuple[Trigger, ...]:
    return tuple(trigger for trigger, word in TRIGGERED_BY.items() if word in words)

"""What an attempt came to, as a value."""

from typing import Any, Literal

from msgspec import Struct

from rota.core.states import FAILURES, Reason

OutcomeState = Literal["succeeded", "failed", "timed_out", "stopped", "canceled", "crashed"]
StopCause = Literal["shutdown", "log_overflow", "timeout", "replaced", "removed", "stop", "cancel"]

# What a stop makes of the attempt, strongest first: a run that timed out and was then stopped by hand has timed out.
STOP_OUTCOMES: dict[StopCause, tuple[OutcomeState, Reason | None]] = {
    "shutdown": ("stopped", "shutdown"),
    "log_overflow": ("failed", "log_overflow"),
    "timeout": ("timed_out", None),
    "replaced": ("stopped", "replaced"),
    "removed": ("stopped", "task_removed"),
    "cancel": ("canceled", None),
    "stop": ("stopped", None),
}
STRENGTH: dict[StopCause, int] = {cause: rank for rank, cause in enumerate(STOP_OUTCOMES)}


class Outcome(Struct, frozen=True, kw_only=True):
    """The end of one attempt.

    exit_code  of the process, 128 + signal for a death by signal, None where there was no process
    final      a failure no retry can help (a missing tool, input that does not fit its schema)
    progress   how far it had come at last, 0 to 100; None where nothing new was told
    memory     what its module keeps for the next run of the task; None leaves that as it is
    """

    state: OutcomeState
    exit_code: int | None = None
    error: str | None = None
    reason: Reason | None = None
    output: Any = None
    final: bool = False
    progress: int | None = None
    memory: dict[str, Any] | None = None

    @property
    def is_failure(self) -> bool:
        return self.state in FAILURES


def stronger(first: StopCause | None, second: StopCause) -> StopCause:
    """The cause that decides when an attempt is stopped for two reasons."""
    if first is None:
        return second
    return min(first, second, key=STRENGTH.__getitem__)


def judge_exit(exit_code: int, cause: StopCause | None, success_codes: list[int]) -> Outcome:
    """What a process that exited came to. A stop outranks the exit code (RunWisp §5, precedence on exit)."""
    if cause is not None:
        state, reason = STOP_OUTCOMES[cause]
        return Outcome(state=state, exit_code=exit_code, reason=reason)
    if exit_code in success_codes:
        return Outcome(state="succeeded", exit_code=exit_code)
    return Outcome(state="failed", exit_code=exit_code, error=f"exit code {exit_code}")

"""A run inside a project, as workers and clients of agents know it: its words for states, and how it is changed bit by bit."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, get_args

from msgspec import Struct

from rota.core.lease import is_outside
from rota.core.run import Run
from rota.core.states import ENDED, State

Status = Literal["not_started", "queued", "in_progress", "completed", "failed", "cancelled"]
Environment = Literal["local", "cloud"]
STATUSES: tuple[Status, ...] = get_args(Status)
TERMINAL: frozenset[Status] = frozenset({"completed", "failed", "cancelled"})
OF_STATE: dict[State, Status] = {
    "pending": "queued",
    "running": "in_progress",
    "succeeded": "completed",
    "failed": "failed",
    "timed_out": "failed",
    "crashed": "failed",
    "queue_full": "failed",
    "missed": "failed",
    "stopped": "cancelled",
    "canceled": "cancelled",
    "skipped": "cancelled",
}
# What only the server says of a run.
OWN_KEYS = frozenset({"github_credential_source", "pr_authorship_mode", "sandbox_id"})
# What a run takes over from the one that it goes on with, where it is not given.
INHERITED = (
    "runtime_adapter", "provider", "model", "reasoning_effort", "pr_authorship_mode", "run_source", "signal_report_id",
    "sandbox_environment_id", "initial_permission_mode", "pr_base_branch",
)  # fmt: skip
# Seconds.
USER_INACTIVITY_S, INACTIVITY_S, LONGEST_INACTIVITY_S = 3600.0, 1800.0, 7200.0
STOPPED = "Stopped by user"
FAILED = "The run failed"


class ProjectRun(Struct, frozen=True, kw_only=True):
    """The engine's run, and what a project knows of it beside. Moments are aware UTC.

    told_status  what a client set, where that is another than the engine's; good until the run is claimed again or ends
    told_error   said instead of the engine's
    told_output  what was told of the output so far; the engine has one when the run has ended
    told_state   without what the server adds when it is shown
    resumes_id   the run that it goes on with
    told_at      when it was last changed from outside
    """

    run: Run
    environment: Environment
    told_state: dict[str, Any]
    told_at: datetime
    told_status: Status | None = None
    told_error: str | None = None
    told_output: Any = None
    stage: str | None = None
    branch: str | None = None
    resumes_id: str | None = None

    @property
    def id(self) -> str:
        return self.run.id

    @property
    def is_over(self) -> bool:
        return self.run.state in ENDED

    @property
    def status(self) -> Status:
        return OF_STATE[self.run.state] if self.is_over or self.told_status is None else self.told_status

    @property
    def error(self) -> str | None:
        """Of one that failed or was cancelled there is always one."""
        if self.told_error is not None or self.status not in ("failed", "cancelled"):
            return self.told_error
        if self.status == "failed":
            return self.run.error or FAILED
        return self.told_state.get("cancel_reason") or STOPPED

    @property
    def output(self) -> Any:
        return merge_output(self.told_output, self.run.output)

    @property
    def state(self) -> dict[str, Any]:
        return {**self.told_state, "timed_out_inactivity": True} if self.run.reason == "inactive" else self.told_state

    @property
    def is_here(self) -> bool:
        """Whether this installation works on it itself."""
        return self.run.state == "running" and not is_outside(self.run.holder)

    @property
    def updated_at(self) -> datetime:
        moments = (self.told_at, self.run.created_at, self.run.started_at, self.run.ended_at)
        return max(moment for moment in moments if moment is not None)


def inactivity_s(state: Mapping[str, Any], origin: str) -> float:
    """How long nothing may come of a run that waits for a person, or of one that works here (§8.1)."""
    told = state.get("inactivity_timeout_seconds")
    if isinstance(told, int | float) and not isinstance(told, bool) and told > 0:
        return min(float(told), LONGEST_INACTIVITY_S)
    return USER_INACTIVITY_S if origin == "user_created" else INACTIVITY_S


def merge_output(before: Any, given: Any) -> Any:
    """An object is merged into an object, anything else takes the place; nothing changes nothing (§8.3)."""
    if given is None:
        return before
    return {**before, **given} if isinstance(before, dict) and isinstance(given, dict) else given


def replace_output(before: Any, given: Any) -> Any:
    """A final output takes the place of what was there, but for a pull request that it does not name (§8.3)."""
    if isinstance(before, dict) and isinstance(given, dict) and before.get("pr_url") and not given.get("pr_url"):
        return {**given, "pr_url": before["pr_url"]}
    return given


def change_state(
    before: Mapping[str, Any], given: Mapping[str, Any], remove: Iterable[str] = (), append: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Removal first, then merge, then append; the server's own keys are left as they are (§8.3, §17)."""
    gone = set(remove) - OWN_KEYS
    after = {key: value for key, value in before.items() if key not in gone}
    after |= {key: value for key, value in given.items() if key not in OWN_KEYS}
    for key, more in (append or {}).items():
        if key not in OWN_KEYS:
            known = after.get(key, [])
            after[key] = [*(known if isinstance(known, list) else [known]), *(more if isinstance(more, list) else [more])]
    return after


def inherit(given: Mapping[str, Any], ancestor: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a run that goes on with another one."""
    return {**{key: ancestor[key] for key in INHERITED if key in ancestor}, **given}

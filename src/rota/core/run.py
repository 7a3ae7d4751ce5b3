"""One occurrence of a task."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from rota.core.outcome import OutcomeState
from rota.core.states import Reason, State

Trigger = Literal["schedule", "catch_up", "startup", "event", "api", "cli", "task", "service"]


class Run(Struct, frozen=True, kw_only=True):
    """One occurrence. Moments are aware UTC.

    nominal_at  the slot it stands for, None for one that was asked for
    due_at      not started before this moment (a retry's wait, a jitter slot, a snooze)
    attempt     number of the current attempt, from 1; 0 while none has started
    attempt_id  of the attempt that is or was the last, where it is not the first: that one has the run's id
    attempt_at  when that attempt was settled on
    fence       rises with every claim; a write that carries an older one is refused
    instance    which instance of a service, from 0
    output      what the work returned, any JSON
    depth       how many events lie between this run and the first cause
    task_version  of the document it was started from
    progress    how far the current attempt has come, 0 to 100, where its work tells it
    owner_id    whose it is: its task's owner's, or of a shared task whoever's who started it
    """

    id: str
    task_id: str
    state: State
    trigger: Trigger
    created_at: datetime
    due_at: datetime
    nominal_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempt: int = 0
    attempt_id: str | None = None
    attempt_at: datetime | None = None
    fence: int = 0
    holder: str | None = None
    priority: int = 5
    instance: int | None = None
    params: dict[str, Any] = {}
    exit_code: int | None = None
    output: Any = None
    error: str | None = None
    reason: Reason | None = None
    cause_run_id: str | None = None
    depth: int = 0
    actor_id: str | None = None
    task_version: int | None = None
    owner_id: str | None = None
    progress: int | None = None


class Attempt(Struct, frozen=True, kw_only=True):
    """An attempt that ended while its run went on.

    id          the first has its run's
    created_at  when it was settled on
    first_line  where its output begins in the run's log
    """

    id: str
    run_id: str
    number: int
    state: OutcomeState
    created_at: datetime
    started_at: datetime
    ended_at: datetime
    exit_code: int | None = None
    error: str | None = None
    reason: Reason | None = None
    first_line: int = 0
    output: Any = None


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of a cancel: requested, delivered to the work, and the process tree empty (or it finished first)."""

    run_id: str
    requested_at: datetime
    delivered_at: datetime | None = None
    ended_at: datetime | None = None
    result: Literal["pending", "canceled", "finished_first"] = "pending"

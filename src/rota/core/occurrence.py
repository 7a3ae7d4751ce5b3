"""One attempt, seen as a run of its own: for those who know a retry as a new run."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from rota.core.run import Attempt, Run
from rota.core.states import ENDED, Reason, State

# What stands for an exit code where no process gave one.
SUCCEEDED_CODE, NOT_EXECUTED_CODE, CRASHED_CODE = 0, -1, -2


class Occurrence(Struct, frozen=True, kw_only=True):
    """An attempt of a run, or the run before its first.

    id           the first attempt's is its run's
    retry        0 for the first attempt
    previous_id  of the attempt that this one tries again
    created_at   the slot of a planned run; for a retry, when the attempt before it ended
    exit_code    None while it is not over; without a process 0, -1 (never executed) or -2 (died with the server)
    """

    id: str
    run: Run
    retry: int
    previous_id: str | None
    state: State
    reason: Reason | None
    exit_code: int | None
    error: str | None
    output: Any
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.state in ENDED


def occurrences(run: Run, attempts: Sequence[Attempt]) -> list[Occurrence]:
    """All of a run in order: `attempts` are those that ended while it went on, and the last is the run as it stands."""
    return [*(_ended(run, attempts, attempt) for attempt in attempts), latest(run, attempts)]


def latest(run: Run, attempts: Sequence[Attempt]) -> Occurrence:
    """The run's current attempt; `attempts` may be left out for a run that is at its first."""
    waits = bool(attempts) and attempts[-1].number == run.attempt  # decided on, but not started (yet)
    created_at, ended_at = _created_at(run) if run.attempt_at is None else run.attempt_at, run.ended_at
    if run.state == "missed":
        created_at = ended_at = _missed_at(run) or created_at
    return Occurrence(
        id=run.attempt_id or run.id,
        run=run,
        retry=run.attempt if waits else max(0, run.attempt - 1),
        previous_id=_previous_id(attempts, run.attempt if waits else run.attempt - 1),
        state=run.state,
        reason=run.reason,
        exit_code=exit_code(run.state, None if waits else run.exit_code),
        error=run.error,
        output=None if waits else run.output,
        created_at=created_at,
        started_at=None if waits else run.started_at,
        ended_at=ended_at,
    )


def exit_code(state: State, code: int | None) -> int | None:
    """The code to show."""
    if state not in ENDED:
        return None
    if code is not None:
        return code
    return {"succeeded": SUCCEEDED_CODE, "crashed": CRASHED_CODE}.get(state, NOT_EXECUTED_CODE)


def _ended(run: Run, attempts: Sequence[Attempt], attempt: Attempt) -> Occurrence:
    return Occurrence(
        id=attempt.id,
        run=run,
        retry=attempt.number - 1,
        previous_id=_previous_id(attempts, attempt.number - 1),
        state=attempt.state,
        reason=attempt.reason,
        exit_code=exit_code(attempt.state, attempt.exit_code),
        error=attempt.error,
        output=attempt.output,
        created_at=attempt.created_at if attempt.number > 1 else _created_at(run),
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
    )


def _previous_id(attempts: Sequence[Attempt], number: int) -> str | None:
    return next((attempt.id for attempt in attempts if attempt.number == number), None)


def _created_at(run: Run) -> datetime:
    """A planned run stands for its slot, however late it was made."""
    return run.nominal_at if run.trigger == "schedule" and run.nominal_at else run.created_at


def _missed_at(run: Run) -> datetime | None:
    """The newest slot that a sleep took, even where that one was made up by a run of its own."""
    account: Any = run.output
    newest = account.get("last_at") if isinstance(account, dict) else None
    return datetime.fromisoformat(newest) if isinstance(newest, str) else newest or run.nominal_at

"""A run that a worker from outside has: how long that may be silent, and what the run comes to when it is for longer."""

from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.outcome import STOP_OUTCOMES, Outcome, StopCause
from rota.core.run import Run

_OUTSIDE = "outside:"
# Whoever was asked to stop, and goes on, has lost the run after this long.
STOP_GRACE = timedelta(seconds=60)


class Lease(Struct, frozen=True, kw_only=True):
    """The hold that a worker from outside has on a run. It ends at `until_at`, which each sign of life puts off.

    fence      of the claim it belongs to
    silence_s  how long after its last sign of life a worker has lost the run
    is_idle    nothing is due from the worker: it waits for a person, and silence is no fault of its own
    """

    run_id: str
    fence: int
    until_at: datetime
    silence_s: float
    is_idle: bool = False


def holder_of(worker: str) -> str:
    """The holder of a run that a worker from outside has. No server is called so."""
    return _OUTSIDE + worker


def is_outside(holder: str | None) -> bool:
    return holder is not None and holder.startswith(_OUTSIDE)


def until(
    run: Run, silence_s: float, now: datetime, *, timeout_s: float | None = None, stop_by: datetime | None = None
) -> datetime:
    """When a lease ends that is given or renewed now.

    timeout_s  how long the attempt may take in all
    stop_by    when it has to have ended, after it was asked to
    """
    moments = [now + timedelta(seconds=silence_s)]
    if timeout_s is not None and run.started_at is not None:
        moments.append(run.started_at + timedelta(seconds=timeout_s))
    return min([*moments, *([stop_by] if stop_by else [])])


def outcome_of(
    lease: Lease, run: Run, now: datetime, *, timeout_s: float | None = None, stop: StopCause | None = None
) -> Outcome:
    """What an attempt came to whose lease is over."""
    if stop is not None:
        state, reason = STOP_OUTCOMES[stop]
        return Outcome(state=state, reason=reason, error="asked to stop")
    if timeout_s is not None and run.started_at is not None and run.started_at + timedelta(seconds=timeout_s) <= now:
        return Outcome(state="timed_out", error=f"its worker took longer than {timeout_s:g} s")
    if lease.is_idle:
        return Outcome(state="succeeded", reason="inactive")
    return Outcome(state="failed", reason="worker_lost", error=f"its worker was not heard from for {lease.silence_s:g} s")

"""Runs that workers from outside have: taking one, giving signs of life, telling what it came to."""

import random
from contextlib import suppress
from datetime import datetime

from msgspec import Struct, structs

from rota.core import lease as leasing
from rota.core.errors import Conflict
from rota.core.lease import STOP_GRACE, Lease, is_outside
from rota.core.outcome import Outcome
from rota.core.run import Run
from rota.core.task import Task
from rota.core.verdict import Verdict, judge
from rota.logs import LogName
from rota.ops import ends
from rota.ops.context import Rota
from rota.store import leases, runs, settlement, telling
from rota.store.database import Connection
from rota.store.settlement import RetrySettlement, Settlement


class Done(Struct, frozen=True):
    """A run whose attempt was settled by its worker.

    was_here  something in this server works on it still, and has to be told to end
    """

    run: Run
    task: Task
    was_here: bool = False


def hold(c: Connection, run: Run, task: Task, silence_s: float, now: datetime, *, is_idle: bool = False) -> None:
    """Begin the lease of a run that a worker has just taken: it must not be silent for longer than `silence_s`."""
    _put(c, run, task, silence_s, now, is_idle=is_idle)


def take_over(c: Connection, run: Run, task: Task, worker: str, silence_s: float, now: datetime) -> Run:
    """Give a running run to a worker, whoever works on it: that one's outcome counts no more. The caller has it halted.

    Raises Conflict for one that is not running.
    """
    taken = leases.take_over(c, run.id, worker)
    if taken is None:
        raise Conflict(f"the run is {run.state}")
    _put(c, taken, task, silence_s, now)
    return taken


def renew(
    c: Connection, run: Run, task: Task, now: datetime, *, silence_s: float | None = None, is_idle: bool | None = None
) -> None:
    """A sign of life. The worker of a run that was asked to stop has heard of that now, and gets no more time.

    silence_s  how long it may be silent from now on
    is_idle    from now on nothing is (or: something is again) due from the worker
    None: both as before. A run that nobody outside has is left alone.
    """
    lease = leases.find_lease(c, run.id)
    if lease is None or lease.fence != run.fence or not is_outside(run.holder):
        return
    runs.mark_delivered(c, [run.id], now)
    _put(c, run, task, silence_s or lease.silence_s, now, is_idle=lease.is_idle if is_idle is None else is_idle)


def finish(c: Connection, rota: Rota, run: Run, task: Task, outcome: Outcome, now: datetime) -> Done:
    """Settle a live run as its worker says, whoever has it, with all that follows from an end: retries, events, notices.

    What waits is begun first, for only what has begun has an outcome. The log of one that may be tried again has to be here: its
    lines are counted. To be followed by `tell_done` after the transaction.
    """
    if run.state == "pending":
        leases.offer(c, run.id)
        run = leases.take(c, run.id, "", now) or run
    verdict = _verdict(task, run, outcome, now)
    if verdict.due_at is not None:
        _settle_retry(c, rota, run, task, outcome, verdict.due_at, now)
    else:
        settlement.settle(c, [_settlement(run, outcome, now)])
    leases.delete_leases(c, [run.id])
    after = runs.get_run(c, run.id)
    ends.publish(c, rota, task, [after] if after.ended_at else [], now)
    return Done(after, task, was_here=not is_outside(run.holder))


def tell_done(rota: Rota, done: Done) -> None:
    """After that transaction, and outside it."""
    run, task = done.run, done.task
    if done.was_here:
        rota.halt(run.id)
    elif run.ended_at:
        with suppress(OSError):  # readers see by the run that nothing more comes
            rota.logs.finalize(LogName(task.name, run.created_at, run.id))
    ends.tell(rota, task, [run] if run.ended_at else [])
    if not run.ended_at:
        rota.bus.wake("dispatcher")
        rota.bus.wake("notifier")
        rota.tell_run("run.retrying", run, task)


def _put(c: Connection, run: Run, task: Task, silence_s: float, now: datetime, *, is_idle: bool = False) -> None:
    asked_at = leases.find_stop_asked(c, run.id)
    until_at = leasing.until(
        run, silence_s, now, timeout_s=task.spec.policy.timeout_s, stop_by=asked_at + STOP_GRACE if asked_at else None
    )
    leases.put_lease(c, Lease(run_id=run.id, fence=run.fence, until_at=until_at, silence_s=silence_s, is_idle=is_idle))


def _verdict(task: Task, run: Run, outcome: Outcome, now: datetime) -> Verdict:
    if task.status != "active":
        return Verdict(outcome.state)
    return judge(task.spec.policy, run.attempt, outcome, now, draw=random.random())  # noqa: S311  spreads retries


def _settlement(run: Run, outcome: Outcome, now: datetime) -> Settlement:
    return Settlement(
        run_id=run.id, fence=run.fence, state=outcome.state, ended_at=now, exit_code=outcome.exit_code, error=outcome.error,
        reason=outcome.reason, output=outcome.output,
    )  # fmt: skip


def _settle_retry(c: Connection, rota: Rota, run: Run, task: Task, outcome: Outcome, due_at: datetime, now: datetime) -> None:
    next_line = rota.logs.reader(LogName(task.name, run.created_at, run.id)).page(0, 0).total_lines
    row = RetrySettlement(
        run_id=run.id, fence=run.fence, state=outcome.state, ended_at=now, due_at=due_at, next_id=rota.ids.new(),
        exit_code=outcome.exit_code, error=outcome.error, reason=outcome.reason, next_line=next_line, output=outcome.output,
    )  # fmt: skip
    if settlement.settle_retry(c, [row]):
        failed = structs.replace(run, state=outcome.state, ended_at=now, error=outcome.error, reason=outcome.reason)
        telling.tell(c, rota.rules, [(failed, task)], rota.ids, now, {run.id: next_line})

"""What workers from outside ask: to take a run, to keep it, to have it settled. The fence they were given says it is theirs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from rota.core.actor import Actor
from rota.core.errors import Conflict
from rota.core.lease import is_outside
from rota.core.outcome import Outcome, StopCause
from rota.core.run import Run
from rota.core.task import Task
from rota.core.work import Outside, Project
from rota.ops import access, openlogs, outside
from rota.ops.context import Rota
from rota.store import leases, settlement
from rota.store.database import Connection

End = Literal["succeeded", "failed", "canceled"]


class Hold(Struct, frozen=True):
    """A run that a worker has.

    fence     to be shown with all that the worker asks from now on
    until_at  without a sign of life the run is lost then
    stop      why the worker is to end; None where it may go on
    """

    run_id: str
    fence: int
    until_at: datetime | None
    stop: StopCause | None = None


async def take_run(rota: Rota, actor: Actor, run_id: str) -> Hold:
    """Take a run that waits for a worker. Raises NotFound, and Conflict where it is not to be had: of two, one gets it."""
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Hold, Run, Task]:
        run, task = access.get_run(c, actor, run_id)
        taken = leases.take(c, run.id, actor.id, now)
        if taken is None:
            raise Conflict(f"the run is {run.state}, and no worker is waited for", hint="take another one")
        outside.hold(c, taken, task, _silence_s(rota, task), now)
        return _hold(c, taken), taken, task

    hold, run, task = await rota.database.write(write)
    rota.bus.wake("expirer")
    rota.tell_run("run.started", run, task)
    return hold


async def renew_run(rota: Rota, actor: Actor, run_id: str, fence: int, lines: Sequence[str] = ()) -> Hold:
    """A sign of life, with what is to be added to the run's log. Raises NotFound, Conflict for a run that was lost, and
    Unavailable if the disk does not take the lines."""
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Hold, Run, Task]:
        run, task = _held(c, actor, run_id, fence)
        outside.renew(c, run, task, now)
        return _hold(c, run), run, task

    hold, run, task = await rota.database.write(write)
    if lines:
        text = "".join(f"{line}\n" for line in lines).encode(errors="replace")
        await openlogs.append(rota, run, task, "stdout", text)
    return hold


async def finish_run(
    rota: Rota, actor: Actor, run_id: str, fence: int, state: End, *, output: Any = None, error: str | None = None
) -> Run:
    """Settle the attempt: a failed one is tried again where the task's policy says so. Raises as renew_run does."""
    now = rota.clock.now()
    if state == "failed":  # where its log ends now, that of the next attempt begins
        await openlogs.catch_up(rota, *await rota.database.read(lambda c: _held(c, actor, run_id, fence)))

    def write(c: Connection) -> outside.Done:
        run, task = _held(c, actor, run_id, fence)
        return outside.finish(c, rota, run, task, Outcome(state=state, output=output, error=error), now)

    done = await rota.database.write(write)
    outside.tell_done(rota, done)
    return done.run


def _held(c: Connection, actor: Actor, run_id: str, fence: int) -> tuple[Run, Task]:
    run, task = access.get_run(c, actor, run_id)
    if run.state != "running" or run.fence != fence or not is_outside(run.holder):
        raise Conflict("this run is not yours any more", hint="end the work on it")
    return run, task


def _hold(c: Connection, run: Run) -> Hold:
    lease, stops = leases.find_lease(c, run.id), settlement.list_stop_causes(c, [run.id])
    return Hold(run.id, run.fence, lease.until_at if lease else None, stops.get(run.id))


def _silence_s(rota: Rota, task: Task) -> float:
    work = task.spec.executor
    if isinstance(work, Project):
        return rota.settings.project(work.project_id).lease
    return work.lease_s if isinstance(work, Outside) else Outside().lease_s

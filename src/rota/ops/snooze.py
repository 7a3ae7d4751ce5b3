"""Putting off the next occurrence of a task, and only that one."""

from datetime import datetime, timedelta

from rota.core.actor import Actor
from rota.core.errors import Conflict, Invalid
from rota.core.run import Run
from rota.core.schedule import Planned
from rota.core.task import Task
from rota.ops import access, audit
from rota.ops.context import Rota
from rota.store import runs, slots, tasks, waiting
from rota.store.database import Connection
from rota.store.runs import NewRun
from rota.store.slots import NewSlot

LONGEST_S = 604_800


async def snooze_task(rota: Rota, actor: Actor, reference: str, delay_s: int, reason: str | None = None) -> tuple[Task, Run]:
    """Put the next occurrence off by 1 to 604,800 seconds; the ones after it keep their times.

    Snoozing again before it started adds up. Answers the task, and the run that stands for the occurrence.
    Raises NotFound, Invalid, and Conflict for a task that is not active or has no next occurrence.
    """
    if not 1 <= delay_s <= LONGEST_S:
        raise Invalid.at("body.delay_s", f"must be from 1 to {LONGEST_S} seconds", delay_s)
    delay, now = timedelta(seconds=delay_s), rota.clock.now()

    def write(c: Connection) -> tuple[Task, Run, bool]:
        task = access.get_task(c, actor, reference)
        if task.status != "active":
            raise Conflict(f"the task {task.name} is {task.status}")
        audit.note(c, rota, actor, "task.snoozed", task.id, delay_s=delay_s, reason=reason)
        put_off = waiting.find_occurrence(c, task.id, now)
        if put_off is not None:
            waiting.postpone(c, put_off.id, _later(put_off.due_at, delay))
            return task, runs.get_run(c, put_off.id), False
        run = _materialise(c, rota, task, delay, now)
        return tasks.get_task(c, task.id), run, True

    task, run, is_new = await rota.database.write(write)
    for loop in ("scheduler", "dispatcher"):
        rota.bus.wake(loop)
    if is_new:
        rota.tell_run("run.created", run, task)
    rota.tell_task("task.changed", task)
    return task, run


async def find_put_off(rota: Rota, actor: Actor, reference: str) -> Run | None:
    """The run that stands for an occurrence which was put off, or waits in its jitter window. Raises NotFound."""
    now = rota.clock.now()
    return await rota.database.read(lambda c: waiting.find_occurrence(c, access.get_task(c, actor, reference).id, now))


def _materialise(c: Connection, rota: Rota, task: Task, delay: timedelta, now: datetime) -> Run:
    """Record the next slot now, with a run that waits; the scheduler goes on behind it."""
    slot, repeats = _next_slot(c, rota, task)
    new = NewRun.of(task, rota.ids.new(), "schedule", now, nominal_at=slot.at, due_at=_later(slot.at, delay))
    passed = [NewSlot(task.id, repeat.at, None, "skipped", "dst_fold") for repeat in repeats]
    slots.insert_slots(c, [*passed, NewSlot(task.id, slot.at, new.run.id)])
    runs.insert_runs(c, [new])
    following = rota.schedule_of(task).next_after(slot.at)
    tasks.update_cursors(c, [tasks.Cursor(task.id, slot.at, following.at if following else None)])
    return new.run


def _later(moment: datetime, delay: timedelta) -> datetime:
    try:
        return moment + delay
    except OverflowError:
        raise Invalid.at("body.delay_s", "puts it off beyond the year 9999", int(delay.total_seconds())) from None


def _next_slot(c: Connection, rota: Rota, task: Task) -> tuple[Planned, list[Planned]]:
    """The first slot that is not recorded yet, be it due already, and the suppressed ones before it.

    Behind the cursor of a task some are recorded when the clock was set back.
    """
    plan, repeats = rota.schedule_of(task), list[Planned]()
    planned = plan.next_after(task.cursor_at)
    while planned is not None and (planned.suppressed or slots.find_slot(c, task.id, planned.at)):
        if planned.suppressed:
            repeats.append(planned)
        planned = plan.next_after(planned.at)
    if planned is None:
        raise Conflict(f"the task {task.name} has no next occurrence to put off")
    return planned, repeats

"""Turns due slots into runs. It keeps nothing in memory: each task's next slot stands in the store, under an index."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from msgspec import Struct, field

from rota.bus import LoopName
from rota.core import jitter
from rota.core.catchup import Due, Plan, due_slots, is_misfire, looked_at, plan
from rota.core.run import Trigger
from rota.core.schedule import Planned
from rota.core.states import Reason, State
from rota.core.task import Task
from rota.engine.context import Engine
from rota.engine.loop import Tick
from rota.store import fanout, gate, latest, runs, slots, tasks, waiting
from rota.store.database import Connection
from rota.store.runs import NewRun
from rota.store.slots import NewSlot
from rota.store.tasks import Cursor

log = structlog.get_logger()

BATCH = 1000
# A jump of the wall clock against steady time beyond this is a suspend or a clock that was set, not drift.
JUMP_S = 2.0
# After a jump, a slot that came no longer ago than this is late, not missed.
LATE = timedelta(seconds=30)
# As Debian's cron has it: a clock set back by less than this waits to catch up with what was run, by more starts anew.
SET_BACK = timedelta(hours=3)


class Place(NamedTuple):
    """Of a task among all jittered ones: its start lies that far behind its tick, and in a window that long (seconds)."""

    offset_s: int
    window_s: int


class Firing(Struct):
    """What one pass writes for all due tasks together."""

    runs: list[NewRun] = field(default_factory=list)
    slots: list[NewSlot] = field(default_factory=list)
    cursors: list[Cursor] = field(default_factory=list)
    places: dict[str, Place] | None = None
    gated: list[gate.Entry] = field(default_factory=list)
    lag_s: float = 0.0


class Scheduler:
    """Each pass takes the tasks whose next slot has come, records every slot up to now, and moves their cursors, at once."""

    name: LoopName = "scheduler"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._awake_since = engine.clock.now()
        self._seen_at = self._awake_since
        self._seen_monotonic = engine.clock.monotonic()
        self._next_at: datetime | None = None

    async def boot(self) -> None:
        """Plan every task anew from its cursor: the default zone, or the rules of a zone, may have changed meanwhile.

        Tasks that run on each start of the server get their run.
        """
        now = self._engine.clock.now()
        started = await self._engine.write_led(lambda c: self._boot(c, now))
        self._engine.announce((new.run for new in started), "run.created")
        self._engine.bus.wake("dispatcher")

    def _boot(self, c: Connection, now: datetime) -> list[NewRun]:
        gate.forget_held(c)  # its ticks were slept through, like any other
        active = self._replan(c, now)
        starting = [task for task in active if task.spec.run_on_start and not task.is_service]
        started = [NewRun.of(task, self._engine.ids.new(), "startup", now) for task in starting]
        runs.insert_runs(c, started)
        return started

    def _replan(self, c: Connection, now: datetime) -> list[Task]:
        active = tasks.list_planned(c)
        self._engine.known.note(active)
        planned = [(task, self._cursor(task, now)) for task in active]
        moved = [cursor for task, cursor in planned if (cursor.cursor_at, cursor.next_at) != (task.cursor_at, task.next_at)]
        tasks.update_cursors(c, moved)
        # What a wrong clock took for missed is still to come.
        slots.delete_missed(c, [cursor.task_id for task, cursor in planned if cursor.cursor_at < task.cursor_at], now)
        return active

    def _cursor(self, task: Task, now: datetime) -> Cursor:
        """A cursor far ahead of the clock was set by a wrong one; slots that were run meanwhile keep their outcome."""
        cursor_at = now if task.cursor_at > now + SET_BACK else task.cursor_at
        following = self._engine.known.schedule(task).next_after(cursor_at)
        return Cursor(task.id, cursor_at, following.at if following else None)

    async def take_over(self, vacant: timedelta) -> None:
        """Plan on where another server left off. What came in a short while without any is late, not missed."""
        now = self._engine.clock.now()
        if vacant <= LATE:
            self._awake_since = min(self._awake_since, now - 2 * LATE)
        self._seen_at, self._seen_monotonic = now, self._engine.clock.monotonic()
        await self._engine.write_led(lambda c: self._replan(c, now))

    async def tick(self) -> Tick:
        engine, now = self._engine, self._engine.clock.now()
        await self._notice_jump(now)
        expected = self._next_at is not None and self._next_at <= now
        if expected:  # then the dispatcher sends its write right behind ours, into the same transaction
            engine.bus.wake("dispatcher")
        firing, more, self._next_at = await engine.write_led(lambda c: self._fire(c, now))
        if firing.runs:
            engine.vitals.fired += len(firing.runs)
            engine.vitals.lag_s = firing.lag_s
            if not expected:
                engine.bus.wake("dispatcher")
            if any(new.run.ended_at for new in firing.runs):
                engine.bus.wake("notifier")
            engine.announce((new.run for new in firing.runs), "run.created")
        return Tick({"tasks": len(firing.cursors), "runs": len(firing.runs)}, next_at=self._next_at, again=more)

    async def _notice_jump(self, now: datetime) -> None:
        """Compare the wall clock with steady time since the last pass."""
        monotonic = self._engine.clock.monotonic()
        jump_s = (now - self._seen_at).total_seconds() - (monotonic - self._seen_monotonic)
        if abs(jump_s) >= JUMP_S:
            log.warning("the wall clock jumped", seconds=round(jump_s, 3))
            self._awake_since = now - LATE if jump_s > 0 else now
        if jump_s <= -JUMP_S:
            jump = timedelta(seconds=jump_s)
            if await self._engine.write_led(lambda c: self._set_back(c, now, jump)):
                self._tell_silence(now, now - jump)
            self._engine.bus.wake("dispatcher")
        self._seen_at, self._seen_monotonic = now, monotonic

    def _set_back(self, c: Connection, now: datetime, jump: timedelta) -> bool:
        """Whether a schedule is silent for a while because its slots have had their runs before."""
        active = self._replan(c, now)
        if -jump > SET_BACK:
            waiting.shift_retries(c, jump)
        coming = ((task, self._engine.known.schedule(task).next_after(now)) for task in active)
        return any(slot is not None and slots.find_slot(c, task.id, slot.at) is not None for task, slot in coming)

    def _tell_silence(self, now: datetime, until_at: datetime) -> None:
        vitals = self._engine.vitals
        vitals.silent_until = max(until_at, vitals.silent_until or until_at)
        behind_s = round((vitals.silent_until - now).total_seconds())
        log.warning("slots that were run before the clock was set back are not run again", seconds=behind_s, until=until_at)

    def _fire(self, c: Connection, now: datetime) -> tuple[Firing, bool, datetime | None]:
        due = tasks.list_due(c, now, BATCH)
        self._engine.known.note(due)
        firing = Firing()
        for task in due:
            self._fire_task(c, task, now, firing)
        if due:
            self._record(c, firing, now)
        return firing, len(due) == BATCH, tasks.next_due(c)

    def _fire_task(self, c: Connection, task: Task, now: datetime, firing: Firing) -> None:
        schedule = self._engine.known.schedule(task)
        due = due_slots(schedule, task.cursor_at, now, looked_at(task.spec.policy))
        # Asked only where a slot may have been slept through.
        asks = task.spec.policy.catch_up == "idle" and any(slot.at <= self._awake_since for slot in due.slots)
        idle_since = latest.find_end(c, task.id) if asks else None
        verdicts = plan(due.slots, task.spec.policy, task.anchor_at, self._awake_since, now, idle_since)
        place = self._place(c, task, firing)
        for slot in verdicts.made_up:
            self._add(firing, task, slot, now, trigger="catch_up")
        for slot in verdicts.on_time:
            self._add(firing, task, slot, now)
            if place:
                until_at = slot.at + timedelta(seconds=place.offset_s)
                firing.gated.append(gate.Entry(firing.runs[-1].run.id, until_at, place.window_s))
            firing.lag_s = (now - slot.at).total_seconds()
        for slot in verdicts.repeats:
            self._add(firing, task, slot, now, ended=("skipped", "dst_fold"))
        if verdicts.slept_through:
            self._add_missed(firing, task, due, verdicts, now)
        following = schedule.next_after(now)
        firing.cursors.append(Cursor(task.id, now, following.at if following else None))

    def _add(
        self,
        firing: Firing,
        task: Task,
        slot: Planned,
        now: datetime,
        *,
        trigger: Trigger = "schedule",
        ended: tuple[State, Reason] | None = None,
    ) -> None:
        new = NewRun.of(task, self._engine.ids.new(), trigger, now, nominal_at=slot.at, ended=ended)
        firing.runs.append(new)
        firing.slots.append(NewSlot(task.id, slot.at, new.run.id))

    def _add_missed(self, firing: Firing, task: Task, due: Due, verdicts: Plan, now: datetime) -> None:
        """One run row speaks for the whole sleep; every slot in it that is not made up has its own line."""
        slept = sorted([*verdicts.missed, *verdicts.made_up], key=lambda slot: slot.at)
        newest = verdicts.missed[-1].at if verdicts.missed else None
        account = {
            "missed": len(slept), "made_up": len(verdicts.made_up), "is_cut": due.is_cut,
            "first_at": slept[0].at, "last_at": slept[-1].at,
        }  # fmt: skip
        if task.spec.policy.catch_up == "all" and verdicts.missed:
            cap, dropped = task.spec.policy.max_catch_up, len(verdicts.missed)
            log.warning("not all missed slots are made up", task=task.name, missed=len(slept), cap=cap, dropped=dropped)
        reason: Reason = "misfire" if is_misfire(slept[-1].at, task.spec.policy, now) else "downtime"
        new = NewRun.of(task, self._engine.ids.new(), "schedule", now, nominal_at=newest, ended=("missed", reason))
        words = f"{'more than ' if due.is_cut else ''}{len(slept)} slot(s) passed while nothing was awake"
        firing.runs.append(new.with_account(words, account))
        firing.slots.extend(NewSlot(task.id, slot.at, new.run.id, "missed", reason) for slot in verdicts.missed)

    def _record(self, c: Connection, firing: Firing, now: datetime) -> None:
        fresh = slots.insert_slots(c, firing.slots)
        taken = {slot.run_id for slot in firing.slots if (slot.task_id, slot.nominal_at) not in fresh and slot.outcome is None}
        firing.runs = [new for new in firing.runs if new.run.id not in taken]
        runs.insert_runs(c, firing.runs)
        gate.enter(c, firing.gated)
        tasks.update_cursors(c, firing.cursors)
        ended = [(new.run, self._engine.known.task(new.run.task_id)) for new in firing.runs if new.run.ended_at]
        fanout.publish_ends(c, ended, self._engine.ids, now)
        self._engine.tell(c, ended, now)

    def _place(self, c: Connection, task: Task, firing: Firing) -> Place | None:
        """None for a task that starts at its tick. All jittered tasks share the places, so they are placed together."""
        if not task.spec.policy.jitter_s:
            return None
        if firing.places is None:
            windows = self._windows(tasks.list_jittered(c))
            offsets = jitter.offsets(windows)
            firing.places = {window.name: Place(offsets[window.name], window.length_s) for window in windows}
        return firing.places.get(_place_name(task))

    def _windows(self, jittered: Iterable[Task]) -> list[jitter.Window]:
        windows = (self._window(task) for task in jittered)
        return [window for window in windows if window is not None and window.length_s > 0]

    def _window(self, task: Task) -> jitter.Window | None:
        """From the next slot's place in the day; never so long that it reaches the slot after."""
        schedule = self._engine.known.schedule(task)
        first = schedule.next_after(task.cursor_at)
        second = first and schedule.next_after(first.at)
        if first is None:
            return None
        gap_s = (second.at - first.at).total_seconds() - 1 if second else task.spec.policy.jitter_s
        return jitter.Window(int(first.at.timestamp()) % 86_400, int(min(task.spec.policy.jitter_s, gap_s)), _place_name(task))


def _place_name(task: Task) -> str:
    """Places go by name; owners may have tasks of one name."""
    return f"{task.name} {task.id}"

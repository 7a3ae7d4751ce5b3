"""Says whether the promise is kept: at-least-once start per slot, at most one holder at a time, exactly one outcome per slot."""

from collections import Counter
from datetime import datetime
from typing import Any

from tests.engine.machine import Process
from tests.engine.world import World

from rota.core.catchup import LOOKED_AT
from rota.core.event import end_topics
from rota.core.schedule import Schedule, compile_schedule
from rota.core.states import ENDED, NEXT, REFUSED
from rota.core.task import Task
from rota.store.database import Connection, Dialect
from rota.store.moments import from_us, to_us
from rota.store.tables import TABLES

# Work that could be done and is not, this long after the last fault, is stuck.
STUCK_S = 120.0
_COLUMNS = [name for name in TABLES["runs"] if name != "reason"]
# Every change of a run and of a task's status is seen, also those inside one transaction.
_SEEN = """
    id TEXT, old_state TEXT, new_state TEXT, old_fence BIGINT, new_fence BIGINT, was_ended BOOLEAN, changed BOOLEAN,
    old_reason TEXT, new_reason TEXT"""
_CHANGED = " OR ".join(f"OLD.{name} {{differs}} NEW.{name}" for name in _COLUMNS)
_INSERT = f"""
    INSERT INTO changes VALUES (OLD.id, OLD.state, NEW.state, OLD.fence, NEW.fence, OLD.ended_at IS NOT NULL, {_CHANGED},
        OLD.reason, NEW.reason);"""
_INSERT_TASK = "INSERT INTO resumed VALUES (NEW.id);"
_RESUMED = "OLD.status = 'paused' AND NEW.status = 'active'"
_TABLES = (f"CREATE TEMP TABLE changes ({_SEEN})", "CREATE TEMP TABLE resumed (task_id TEXT)")
WATCH: dict[Dialect, tuple[str, ...]] = {
    "sqlite": (
        *_TABLES,
        f"CREATE TEMP TRIGGER watch_runs AFTER UPDATE ON runs BEGIN {_INSERT.format(differs='IS NOT')} END",
        f"CREATE TEMP TRIGGER watch_tasks AFTER UPDATE OF status ON tasks WHEN {_RESUMED} BEGIN {_INSERT_TASK} END",
    ),
    "postgres": (
        *_TABLES,
        *(
            f"CREATE FUNCTION pg_temp.{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert} RETURN NULL; END $$"
            for name, insert in (("runs", _INSERT.format(differs="IS DISTINCT FROM")), ("tasks", _INSERT_TASK))
        ),
        "CREATE TRIGGER watch_runs AFTER UPDATE ON runs FOR EACH ROW EXECUTE FUNCTION pg_temp.runs()",
        f"""CREATE TRIGGER watch_tasks AFTER UPDATE OF status ON tasks FOR EACH ROW WHEN ({_RESUMED})
            EXECUTE FUNCTION pg_temp.tasks()""",
    ),
}
RUNNING = "SELECT id, task_id, fence, concurrency_key, stop_cause, instance FROM runs WHERE state = 'running'"
PENDING = "SELECT id, task_id, admission, due_at, concurrency_key, instance FROM runs WHERE state = 'pending'"
CURSORS = "SELECT id, cursor_at FROM tasks WHERE status = 'active'"
SLOTS = "SELECT nominal_at FROM slots WHERE task_id = ? AND nominal_at > ? AND nominal_at <= ? ORDER BY nominal_at"
OUTCOMES = """
    SELECT slots.task_id, slots.nominal_at, slots.outcome, slots.reason, runs.id, runs.state, runs.reason, runs.attempt
    FROM slots LEFT JOIN runs ON runs.id = slots.run_id"""
# A run that is `missed` speaks for a whole sleep, and names its newest slot.
DOUBLES = """
    SELECT task_id, nominal_at, COUNT(*) FROM runs WHERE nominal_at IS NOT NULL AND state <> 'missed'
    GROUP BY task_id, nominal_at HAVING COUNT(*) > 1"""
CAUSED = "SELECT task_id, cause_run_id FROM runs WHERE cause_run_id IS NOT NULL"
ALL_RUNS = "SELECT id, task_id, state, reason, attempt FROM runs"
EVENTS = "SELECT topic, cause_run_id FROM events WHERE cause_run_id IS NOT NULL"

Rows = list[tuple[Any, ...]]


class Broken(AssertionError):
    """The promise is not kept."""


def expect(condition: bool, *words: object) -> None:
    if not condition:
        raise Broken(" ".join(map(str, words)))


class Checker:
    """Looks at the store and the machine after every step. `calm` is told to it by the simulation after a fault."""

    def __init__(self, world: World, added: list[Task]) -> None:
        self._world = world
        self._tasks = {task.id: task for task in added}
        self._schedules = {task.id: _schedule(task, world.zone) for task in added}
        self._checked = {task.id: task.cursor_at for task in added}
        self._waiting_since: dict[tuple[str, str], float] = {}
        self._started: set[tuple[str, int]] = set()
        self.transitions: Counter[tuple[str, str]] = Counter()
        world.machine.on_start = self.starts
        world.database.run(lambda c: [c.run(statement) for statement in WATCH[c.dialect]])

    def starts(self, process: Process) -> None:
        """A process begins: nothing on the machine may be in its way, whoever started that."""
        run, policy = process.claim.run, process.claim.task.spec.policy
        others = list(self._world.machine.processes.values())
        expect(all(other.claim.run.id != run.id for other in others), "two processes of run", run.id)
        again = (run.id, run.attempt) in self._started and not policy.resume_after_crash
        expect(not again, "attempt", run.attempt, "of run", run.id, "is started a second time")
        self._started.add((run.id, run.attempt))
        if run.instance is not None:
            return
        same = [other for other in others if other.claim.run.task_id == run.task_id]
        expect(len(same) < policy.max_concurrent, "too many processes of", process.claim.task.name)
        key = policy.concurrency_key
        expect(
            key is None or all(other.claim.task.spec.policy.concurrency_key != key for other in others),
            "two processes with the key", key,
        )  # fmt: skip

    def calm(self) -> None:
        """Something has gone wrong; what waits for that is not stuck yet."""
        self._waiting_since.clear()

    def look(self, *, is_up: bool) -> None:
        self._world.database.run(lambda c: self._look(c, is_up))

    def _look(self, c: Connection, is_up: bool) -> None:
        self._check_changes(c)
        self._check_slots(c)
        running, pending = c.rows(RUNNING), c.rows(PENDING)
        self._check_limits(running, pending)
        if is_up:
            self._check_processes(running)
            self._check_stuck(running, pending)

    def _check_changes(self, c: Connection) -> None:
        for run_id, old, new, old_fence, new_fence, was_ended, changed, old_reason, new_reason in c.rows("SELECT * FROM changes"):
            if was_ended:
                gave_up = not changed and new_reason == "start_failed"
                expect(gave_up or (not changed and old_reason == new_reason), "run", run_id, "changed after its end", old, new)
            expect(old == new or new in NEXT[old], "run", run_id, "went from", old, "to", new)
            expect(new_fence >= old_fence, "the fence of run", run_id, "fell")
            expect(
                (old, new) != ("pending", "running") or new_fence == old_fence + 1, "run", run_id, "claimed without a new fence"
            )
            self.transitions[old, new] += 1
        c.run("DELETE FROM changes")

    def _check_slots(self, c: Connection) -> None:
        cursors = {task_id: from_us(cursor_at) for task_id, cursor_at in c.rows(CURSORS)}
        for (task_id,) in c.rows("SELECT task_id FROM resumed"):
            self._checked[task_id] = cursors.get(task_id, self._checked[task_id])
        c.run("DELETE FROM resumed")
        for task_id, cursor_at in cursors.items():
            checked = self._checked[task_id]
            if cursor_at > checked:
                self._check_recorded(c, task_id, checked, cursor_at)
            self._checked[task_id] = cursor_at

    def _check_recorded(self, c: Connection, task_id: str, after: datetime, until: datetime) -> None:
        planned = _planned(self._schedules[task_id], after, until)
        found = [from_us(row[0]) for row in c.rows(SLOTS, (task_id, to_us(after), to_us(until)))]
        if len(planned) > LOOKED_AT:  # the middle of a sleep as long as that is not counted out
            planned, found = planned[-LOOKED_AT // 2 :], [at for at in found if at >= planned[-LOOKED_AT // 2]]
        expect(found == planned, "slots of", self._tasks[task_id].name, "up to", until, "planned", planned, "recorded", found)

    def _check_limits(self, running: Rows, pending: Rows) -> None:
        by_task = Counter(row[1] for row in running if row[-1] is None)
        for task_id, count in by_task.items():
            expect(count <= self._tasks[task_id].spec.policy.max_concurrent, count, "runs of", self._tasks[task_id].name)
        for key, count in Counter(row[3] for row in running if row[3] is not None).items():
            expect(count <= 1, count, "runs with the key", key)
        instances = Counter((row[1], row[-1]) for row in [*running, *pending] if row[-1] is not None)
        for (task_id, instance), count in instances.items():
            expect(count == 1, count, "runs of instance", instance, "of", self._tasks[task_id].name)

    def _check_processes(self, running: Rows) -> None:
        held = {(row[0], row[2]) for row in running}
        for key in self._world.machine.processes:
            expect(key in held, "the process of", key, "goes on without its run")

    def _check_stuck(self, running: Rows, pending: Rows) -> None:
        """Work that could be done is done soon."""
        now, monotonic = self._world.clock.now(), self._world.clock.monotonic()
        unstopped = {("was asked to stop and goes on", row[0]) for row in running if row[4] is not None}
        could = unstopped | set(self._idle_runs(running)) | set(self._could_start(running, pending, now))
        self._waiting_since = {each: self._waiting_since.get(each, monotonic) for each in could}
        for (why, run_id), since in self._waiting_since.items():
            expect(monotonic - since <= STUCK_S, "run", run_id, why, "for", monotonic - since, "s")

    def _idle_runs(self, running: Rows) -> list[tuple[str, str]]:
        return [
            ("is running without a process", row[0]) for row in running if (row[0], row[2]) not in self._world.machine.processes
        ]

    def _could_start(self, running: Rows, pending: Rows, now: datetime) -> list[tuple[str, str]]:
        ready = [row for row in pending if row[2] == "ready"]
        places = Counter(row[1] for row in [*running, *ready])
        keys = {row[3] for row in running} | {row[4] for row in ready}
        has_room = sum(row[-1] is None for row in running) < self._world.runner.capacity
        now_us = to_us(now)  # thousands wait, and are looked at after each step
        found = []
        for run_id, task_id, admission, due_at, key, _ in pending:
            if admission == "ready":
                could = has_room
            elif admission == "held":
                could = places[task_id] < self._tasks[task_id].spec.policy.max_concurrent and (key is None or key not in keys)
            else:
                could = due_at <= now_us
            if could:
                found.append((f"is {admission} and not started", run_id))
        return found

    # -- the end

    def check_end(self) -> None:
        """After everything has come to rest."""
        self._world.database.run(self._check_end)

    def _check_end(self, c: Connection) -> None:
        live = [row for row in c.rows(ALL_RUNS) if row[2] not in ENDED]
        expect(not live, "still live:", live)
        expect(not self._world.machine.processes, "processes are left")
        for task_id, at, outcome, reason, run_id, state, why, attempt in c.rows(OUTCOMES):
            told = state or outcome
            name = self._tasks[task_id].name
            expect(told in ENDED, "the slot of", name, "at", from_us(at), "has no outcome")
            if run_id is None or attempt == 0:
                explained = told in ("stopped", "canceled") or (told in REFUSED and (why or reason) is not None)
                expect(explained, "the slot of", name, "at", from_us(at), "was not started, and is", told, why or reason)
            elif state in ("succeeded", "failed"):
                expect(self._world.machine.starts[run_id] >= 1, "run", run_id, "is", state, "and was never started")
        for task_id, at, count in c.rows(DOUBLES):
            raise Broken(f"{count} runs stand for the slot of {self._tasks[task_id].name} at {from_us(at)}")
        self._check_events(c)

    def _check_events(self, c: Connection) -> None:
        """Every end that a task waits for was told to it once, and was a fact once."""
        caused = Counter(c.rows(CAUSED))
        facts = Counter(c.rows(EVENTS))
        listeners = [(task.id, topic) for task in self._tasks.values() if (topic := getattr(task.spec.schedule, "topic", None))]
        for run_id, task_id, state, _, _ in c.rows(ALL_RUNS):
            topics = end_topics(state, self._tasks[task_id].name)
            for topic in {topic for _, topic in listeners}:
                if topic in topics:
                    expect(facts[topic, run_id] == 1, "run", run_id, "was", facts[topic, run_id], "times a fact on", topic)
            for listener_id in {listener_id for listener_id, topic in listeners if topic in topics}:
                started = caused[listener_id, run_id]
                expect(started == 1, "the end of", run_id, state, "started", self._tasks[listener_id].name, started, "times")


def _planned(schedule: Schedule, after: datetime, until: datetime) -> list[datetime]:
    found = []
    planned = schedule.next_after(after)
    while planned is not None and planned.at <= until:
        found.append(planned.at)
        planned = schedule.next_after(planned.at)
    return found


def _schedule(task: Task, zone: str) -> Schedule:
    return compile_schedule(task.spec.schedule, dst=task.spec.policy.dst, anchor_at=task.anchor_at, default_timezone=zone)

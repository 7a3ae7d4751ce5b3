"""Admits pending runs, claims those that may start, hands them to the runner, and delivers stops."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct, field

from rota.bus import LoopName
from rota.core.limit import is_duplicate
from rota.core.outcome import StopCause
from rota.core.overlap import Occupancy, admit
from rota.core.run import Run
from rota.core.states import Reason, State
from rota.core.task import Task
from rota.engine.context import Engine
from rota.engine.loop import Tick
from rota.runners.base import Claim, Runner
from rota.store import admission, fanout, runs
from rota.store.admission import Candidate
from rota.store.database import Connection

BATCH = 500


class Room(Struct):
    """What is taken at this moment, kept up to date while a batch of candidates is decided."""

    now: datetime
    tasks: dict[str, Task]
    occupancy: dict[str, Occupancy]
    busy_keys: set[str]
    latest: dict[str, tuple[datetime, bool]]

    def of(self, candidate: Candidate) -> Occupancy:
        return self.occupancy.setdefault(candidate.task_id, Occupancy())

    def is_duplicate(self, candidate: Candidate) -> bool:
        """Only a first attempt can repeat another run; a retry repeats nothing but itself."""
        if candidate.dedupe_key is None or candidate.attempt:
            return False
        created_at, is_live = self.latest.get(candidate.dedupe_key, (None, False))
        window_s = self.tasks[candidate.task_id].spec.policy.dedupe_window_s
        return is_duplicate(window_s, created_at, is_live, candidate.created_at)

    def take(self, candidate: Candidate) -> None:
        self.of(candidate).active += 1
        if candidate.concurrency_key:
            self.busy_keys.add(candidate.concurrency_key)


class Decisions(Struct):
    """The verdicts on a batch, ready to be written."""

    ready: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    refused: list[tuple[str, State, Reason]] = field(default_factory=list)
    replacements: dict[str, list[str]] = field(default_factory=dict)


class Dispatched(Struct, frozen=True):
    claims: list[Claim]
    refused: list[Run]
    stops: list[tuple[str, StopCause]]
    next_at: datetime | None
    more: bool


class Dispatcher:
    """Each pass decides, claims and delivers in one transaction; only then does anything start.

    `freed` names tasks and keys whose runs ended: their queues are looked at. After a start, all queues are.
    """

    name: LoopName = "dispatcher"

    def __init__(self, engine: Engine, runner: Runner) -> None:
        self._engine = engine
        self._runner = runner
        self._freed: set[str] | None = None
        self._freed_keys: set[str] = set()

    def free(self, task_ids: Iterable[str], keys: Iterable[str]) -> None:
        """Runs of these tasks, holding these concurrency keys, have ended."""
        if self._freed is not None:
            self._freed.update(task_ids)
        self._freed_keys.update(keys)

    async def tick(self) -> Tick:
        engine, now = self._engine, self._engine.clock.now()
        freed, keys = self._freed, self._freed_keys
        self._freed, self._freed_keys = set(), set()
        try:
            done = await engine.database.write(lambda c: self._dispatch(c, now, freed, keys))
        except BaseException:
            self._freed = None  # look at all queues next time: what was freed must not be forgotten
            raise
        self._hand_over(done)
        counts = {"started": len(done.claims), "refused": len(done.refused), "stops": len(done.stops)}
        return Tick(counts, next_at=done.next_at, again=done.more)

    def _hand_over(self, done: Dispatched) -> None:
        engine = self._engine
        self._runner.start(done.claims)
        for run_id, cause in done.stops:
            self._runner.ask_stop(run_id, cause)
        engine.vitals.started += len(done.claims)
        engine.vitals.running = self._runner.busy
        if any(claim.run.instance is not None for claim in done.claims):
            engine.bus.wake("supervisor")  # what depends on this service is to know that it is up
        engine.announce((claim.run for claim in done.claims), "run.started")
        engine.announce(done.refused)
        for run in done.refused:
            engine.vitals.ended[run.state] += 1

    def _dispatch(self, c: Connection, now: datetime, freed: set[str] | None, keys: set[str]) -> Dispatched:
        waiting = admission.list_held(
            c, admission.list_tasks_with_held(c) if freed is None else sorted(freed), sorted(keys), BATCH
        )
        fresh = admission.list_new(c, now, BATCH)
        refused = self._admit(c, now, waiting, fresh)
        claimed = admission.claim(c, max(0, self._runner.capacity - self._runner.busy), self._engine.node, now)
        known = self._engine.known.get(c, {run.task_id for run in claimed})
        claims = [Claim(known[run.task_id], run) for run in claimed]
        stops = admission.list_stops(c, self._engine.node)
        more = len(fresh) == BATCH or len(waiting) == BATCH
        return Dispatched(claims, refused, stops, admission.next_due(c), more)

    def _admit(self, c: Connection, now: datetime, waiting: list[Candidate], fresh: list[Candidate]) -> list[Run]:
        if not waiting and not fresh:
            return []
        room = self._room(c, now, [*waiting, *fresh])
        decisions = Decisions()
        for candidate in waiting:
            self._promote(room, candidate, decisions)
        for candidate in fresh:
            self._decide(room, candidate, decisions)
        self._replace(c, room, decisions)
        admission.set_ready(c, decisions.ready)
        admission.set_held(c, decisions.held)
        refused = admission.refuse(c, [(run_id, state, reason, now) for run_id, state, reason in decisions.refused])
        return self._publish_ends(c, runs.get_runs(c, refused), room) if refused else []

    def _publish_ends(self, c: Connection, refused: list[Run], room: Room) -> list[Run]:
        fanout.publish_ends(c, [(run, room.tasks[run.task_id]) for run in refused], self._engine.ids, room.now)
        return refused

    def _room(self, c: Connection, now: datetime, candidates: list[Candidate]) -> Room:
        task_ids = sorted({candidate.task_id for candidate in candidates})
        keys = sorted({candidate.concurrency_key for candidate in candidates if candidate.concurrency_key})
        dedupe = [(candidate.dedupe_key, candidate.run_id) for candidate in candidates if candidate.dedupe_key]
        return Room(
            now=now,
            tasks=self._engine.known.get(c, task_ids),
            occupancy=admission.occupancy(c, task_ids),
            busy_keys=admission.busy_keys(c, keys) if keys else set(),
            latest=admission.latest_by_dedupe(c, [key for key, _ in dedupe], [run_id for _, run_id in dedupe]) if dedupe else {},
        )

    def _promote(self, room: Room, candidate: Candidate, decisions: Decisions) -> None:
        """A waiting run starts when its task has a place and its key is free."""
        occupancy = room.of(candidate)
        free = occupancy.active < room.tasks[candidate.task_id].spec.policy.max_concurrent
        if free and candidate.concurrency_key not in room.busy_keys:
            occupancy.held -= 1
            room.take(candidate)
            decisions.ready.append(candidate.run_id)

    def _decide(self, room: Room, candidate: Candidate, decisions: Decisions) -> None:
        if candidate.instance is not None:  # a service instance owns its place
            room.take(candidate)
            decisions.ready.append(candidate.run_id)
        elif room.is_duplicate(candidate):
            decisions.refused.append((candidate.run_id, "skipped", "dedupe"))
        else:
            self._admit_one(room, candidate, decisions)

    def _admit_one(self, room: Room, candidate: Candidate, decisions: Decisions) -> None:
        occupancy = room.of(candidate)
        verdict = admit(room.tasks[candidate.task_id].spec.policy, occupancy)
        if candidate.dedupe_key and verdict not in ("skipped", "queue_full"):
            room.latest[candidate.dedupe_key] = (candidate.created_at, True)
        match verdict:
            case "skipped":
                decisions.refused.append((candidate.run_id, "skipped", "overlap"))
            case "queue_full":
                decisions.refused.append((candidate.run_id, "queue_full", "overlap"))
            case "start" if candidate.concurrency_key not in room.busy_keys:
                room.take(candidate)
                decisions.ready.append(candidate.run_id)
            case _:
                occupancy.held += 1
                decisions.held.append(candidate.run_id)
                if verdict == "replace":
                    decisions.replacements.setdefault(candidate.task_id, []).append(candidate.run_id)

    def _replace(self, c: Connection, room: Room, decisions: Decisions) -> None:
        """Policy terminate: at most one replacement waits, the newest; the oldest active run makes room for it."""
        for task_id, newcomers in decisions.replacements.items():
            waiting = [held.run_id for held in admission.list_held(c, [task_id], [], BATCH) if held.run_id not in decisions.ready]
            older = [*waiting, *newcomers][:-1]
            decisions.held = [run_id for run_id in decisions.held if run_id not in older]
            decisions.refused.extend((run_id, "skipped", "replaced") for run_id in older)
            if room.occupancy[task_id].active >= room.tasks[task_id].spec.policy.max_concurrent:
                self._stop_oldest(c, task_id, room.now)

    def _stop_oldest(self, c: Connection, task_id: str, now: datetime) -> None:
        """Unless one is on its way out already."""
        if admission.is_stopping(c, task_id):
            return
        oldest = admission.oldest_active(c, task_id)
        if oldest is not None:
            runs.request_stop(c, oldest.id, "replaced", now)

"""Admits pending runs, claims those that may start, hands them to the runner, and delivers stops."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from msgspec import Struct, field

from rota.bus import LoopName
from rota.core.errors import Unavailable
from rota.core.outcome import StopCause
from rota.core.overlap import admit
from rota.core.run import Run
from rota.core.states import Reason, State
from rota.core.task import Task
from rota.core.work import Outside
from rota.engine.balance import Balance
from rota.engine.claiming import WITH_SECRETS, make_claim
from rota.engine.context import Engine
from rota.engine.gatekeeper import pass_gate
from rota.engine.giveback import give_back
from rota.engine.loop import Tick
from rota.engine.placer import Placer
from rota.engine.room import Room
from rota.engine.seat import Deposed
from rota.runners.base import Claim, Runner
from rota.store import admission, fanout, revisions, runs, runsecrets
from rota.store.admission import Candidate, Signs
from rota.store.database import Connection

BATCH = 500
# All queues are looked at this often while anything waits in them: places also become free without us being told.
LOOK_AGAIN = timedelta(seconds=1)


def is_outside_work(task: Task) -> bool:
    """Whether its document says that nobody here works on it."""
    return isinstance(task.spec.executor, Outside)


class Decisions(Struct):
    """The verdicts on a batch, ready to be written. `offered` are kept for workers from outside, `replaced` are tasks where a
    newcomer takes an older run's place. `unplaced` are held because nobody could carry them out, with what is in the way."""

    ready: list[str] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    unplaced: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, State, Reason]] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)


class Dispatched(Struct, frozen=True):
    """What a pass wrote. `ended` are runs it refused, or stopped before they started."""

    claims: list[Claim]
    ended: list[Run]
    stops: list[tuple[str, StopCause]]
    next_at: datetime | None
    more: bool
    calls_others: bool


class Admitted(Struct):
    """What a pass decided; nothing where another server does that. `services` are new instances that can start.

    replaces  older runs were asked to make room
    waits     something may be in a queue
    """

    ended: list[Run] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    fresh: int = 0
    gate_at: datetime | None = None
    replaces: bool = False
    waits: bool = False


class Dispatcher:
    """Each pass decides, claims and delivers in one transaction; only then does anything start. Of several servers on one
    database the one that leads decides; all claim, and deliver to what they have claimed.

    `freed` names tasks and keys whose runs ended: their queues are looked at. After a start, and now and then, all queues are.

    is_outside  whether the runs of a task are kept for workers from outside
    is_led      it also claims only where it decides
    """

    name: LoopName = "dispatcher"

    def __init__(
        self, engine: Engine, runner: Runner, is_outside: Callable[[Task], bool] = is_outside_work, *, is_led: bool = False
    ) -> None:
        self._engine = engine
        self._runner = runner
        self._is_outside = is_outside
        self._is_led = is_led
        self._placer = Placer(runner, engine)
        self._balance = Balance(engine)
        self._freed: set[str] | None = None
        self._freed_keys: set[str] = set()
        self._looked_at = engine.clock.now()
        # Claims of a pass that failed: they may have been written all the same, and nothing was started for them.
        self._doubtful: list[tuple[str, int]] = []

    def free(self, task_ids: Iterable[str], keys: Iterable[str]) -> None:
        """Runs of these tasks, holding these concurrency keys, have ended."""
        if self._freed is not None:
            self._freed.update(task_ids)
        self._freed_keys.update(keys)

    def let_go(self) -> None:
        """Somebody looks after all that is running: what is in doubt here is in doubt no more."""
        self._doubtful = []

    def look_everywhere(self) -> None:
        """Other servers have ended runs, or nobody has kept count."""
        self._freed = None

    async def tick(self) -> Tick:
        engine, now = self._engine, self._engine.clock.now()
        freed, keys = self._freed, self._freed_keys
        self._freed, self._freed_keys = set(), set()
        began_s = engine.seat.steady_s() if engine.seat else 0.0
        try:
            done = await engine.database.write(lambda c: self._dispatch(c, now, freed, keys))
        except BaseException:
            self._freed = None  # look at all queues next time: what was freed must not be forgotten
            raise
        self._check_still_ours(done.claims, began_s)
        self._doubtful = []
        self._hand_over(done)
        counts = {"started": len(done.claims), "refused": len(done.ended), "stops": len(done.stops)}
        return Tick(counts, next_at=done.next_at, again=done.more or bool(self._freed))

    def _check_still_ours(self, claims: list[Claim], began_s: float) -> None:
        """Others may have taken them while we were held up. Raises Unavailable: they are given back if not."""
        seat = self._engine.seat
        if claims and seat is not None and (seat.was_held_up(began_s) or claims[0].run.holder != self._engine.node):
            raise Unavailable("this server was held up, and does not start what it took before")

    def _hand_over(self, done: Dispatched) -> None:
        engine = self._engine
        # Before they start: so that who watches has not to wait until the loop has begun with all of them.
        engine.announce((claim.run for claim in done.claims), "run.started")
        self._runner.start(done.claims)
        for run_id, cause in done.stops:
            self._runner.ask_stop(run_id, cause)
        engine.vitals.started += len(done.claims)
        engine.vitals.running = self._runner.busy
        if any(claim.run.instance is not None for claim in done.claims):
            engine.bus.wake("supervisor")  # what depends on this service is to know that it is up
        if engine.has_leases:
            engine.bus.wake("expirer")  # a worker that was asked to stop is not waited for as long as before
        if done.ended or engine.rules.routes:
            engine.bus.wake("notifier")
        if done.calls_others:
            engine.bus.call_others("dispatcher")
        engine.announce(done.ended)
        for run in done.ended:
            engine.vitals.ended[run.state] += 1

    def _dispatch(self, c: Connection, now: datetime, freed: set[str] | None, keys: set[str]) -> Dispatched:
        ended = give_back(c, self._engine, self._doubtful, now) if self._doubtful else []
        self._engine.check_seat(c)
        leads = self._engine.may_lead(c)
        if self._is_led and not leads:
            raise Deposed
        signs = admission.look(c, self._engine.node, now)
        admitted = self._decide_all(c, now, freed, keys, signs) if leads else Admitted()
        ended += admitted.ended
        claimed = self._claim(c, now, admitted.services)
        self._doubtful = [*self._doubtful, *_keys(claimed)]
        known = self._engine.known.get(c, {run.task_id for run in claimed})
        kept = self._give_back(c, now, claimed, known)
        ended += [run for run in kept if run.ended_at]
        left = {run.id for run in kept}
        begun = [(run, known[run.task_id]) for run in claimed if run.id not in left]
        secrets = runsecrets.list_secrets(c, [run.id for run, task in begun if isinstance(task.spec.executor, WITH_SECRETS)])
        started = zip(revisions.as_started(c, begun), begun, strict=True)
        claims = [make_claim(c, task, run, secrets.get(run.id, {})) for task, (run, _) in started]
        if self._engine.rules.routes:
            self._engine.tell(c, [(claim.run, claim.task) for claim in claims], now)
        stops = admission.list_stops(c, self._engine.node) if signs.has_stops or admitted.replaces else []
        calls_others = self._engine.has_others and (admitted.fresh > 0 or admission.has_ready(c))
        # What was given back, and what ends have started, is due at once.
        more = admitted.fresh == BATCH or bool(kept) or bool(ended)
        next_at = _earlier(self._next_at(now, signs, admitted) if leads else None, self._balance.look_again_at)
        return Dispatched(claims, ended, stops, next_at, more, calls_others)

    def _give_back(self, c: Connection, now: datetime, claimed: list[Run], known: dict[str, Task]) -> list[Run]:
        """What cannot start here after all. Answers these runs, of which some were asked to stop meanwhile, and so have ended."""
        # Since they were admitted it was settled that others are to work on them: the next pass offers them.
        outside = [run for run in claimed if self._is_outside(known[run.task_id])]
        misplaced = self._placer.misplaced([run for run in claimed if run not in outside], known)
        elsewhere = [run for run, _ in misplaced if self._placer.is_offered_elsewhere(known[run.task_id])]
        nowhere = [(run, why) for run, why in misplaced if run not in elsewhere]
        ended = give_back(c, self._engine, _keys(outside), now) if outside else []
        ended += give_back(c, self._engine, _keys(elsewhere), now, "ready") if elsewhere else []
        ended += give_back(c, self._engine, _keys(run for run, _ in nowhere), now, "held") if nowhere else []
        admission.mark_unplaced(c, [(run.id, why) for run, why in nowhere])
        over = {run.id: run for run in ended}
        return [over.get(run.id, run) for run in [*outside, *(run for run, _ in misplaced)]]

    def _decide_all(self, c: Connection, now: datetime, freed: set[str] | None, keys: set[str], signs: Signs) -> Admitted:
        queues = self._queues(c, now, freed)
        waiting = admission.list_held(c, queues, sorted(keys), BATCH) if signs.has_held else []
        gate_at = pass_gate(c, now) if signs.has_gated else None
        fresh = admission.list_new(c, now, BATCH)
        services = self._admit_services(c, [candidate for candidate in fresh if candidate.instance is not None])
        decisions = Decisions()
        ended = self._admit(c, now, waiting, [each for each in fresh if each.instance is None], decisions)
        waits = signs.has_held or bool(decisions.held) or len(services) < sum(each.instance is not None for each in fresh)
        return Admitted(ended, services, len(fresh), gate_at, bool(decisions.replaced), waits)

    def _claim(self, c: Connection, now: datetime, services: list[str]) -> list[Run]:
        """Instances of services own their places and take none of the capacity: what always runs would use it up."""
        holder, node = self._engine.node, self._engine.node_name
        taken, places = self._runner.taken, self._runner.capacity + self._runner.waiting
        if taken is None:
            taken = admission.count_taken(c, holder)
        room = self._balance.limit(c, max(0, places - taken), places, now)
        unfit = self._placer.look_again(c)
        direct = admission.claim_direct(c, services, holder, now, node=node)
        return [*direct, *admission.claim(c, room, holder, now, unfit, node=node)]

    def _admit_services(self, c: Connection, fresh: list[Candidate]) -> list[str]:
        """Those of the new instances that can start. The others wait like anybody, until someone can carry them out."""
        if not fresh:
            return []
        known = self._engine.known.get(c, {candidate.task_id for candidate in fresh})
        placed, unplaced = self._placer.split((candidate.run_id, known[candidate.task_id]) for candidate in fresh)
        elsewhere = {each.run_id for each in fresh if self._placer.is_offered_elsewhere(known[each.task_id])}
        admission.set_ready(c, [run_id for run_id, _ in unplaced if run_id in elsewhere])
        admission.set_held(c, [run_id for run_id, _ in unplaced])
        admission.mark_unplaced(c, unplaced)
        return placed

    def _queues(self, c: Connection, now: datetime, freed: set[str] | None) -> list[str]:
        """The tasks whose queues are looked at."""
        stuck, self._placer.stuck = self._placer.stuck, set()
        if freed is not None and abs(now - self._looked_at) < LOOK_AGAIN:
            return sorted(freed | stuck)
        self._looked_at = now
        return admission.list_tasks_with_held(c)

    def _next_at(self, now: datetime, signs: Signs, admitted: Admitted) -> datetime | None:
        at = _earlier(signs.next_due_at, admitted.gate_at)
        if self._looked_at == now or not admitted.waits:
            return at
        return _earlier(at, self._looked_at + LOOK_AGAIN)

    def _admit(
        self, c: Connection, now: datetime, waiting: list[Candidate], fresh: list[Candidate], decisions: Decisions
    ) -> list[Run]:
        """Decide and write. Answers the runs that ended by it."""
        if not waiting and not fresh:
            return []
        room = self._room(c, now, [*waiting, *fresh])
        for candidate in waiting:
            self._promote(room, candidate, decisions)
        for candidate in fresh:
            self._decide(room, candidate, decisions)
        admission.set_ready(c, decisions.ready)
        admission.set_offered(c, decisions.offered)
        admission.set_held(c, decisions.held)
        admission.mark_unplaced(c, decisions.unplaced)
        stopped = self._replace(c, room, decisions)
        stuck = {run_id for run_id, _ in decisions.unplaced}
        served = [candidate for candidate in waiting if candidate.run_id not in stuck]
        self.free((candidate.task_id for candidate in served if room.has_more_for(candidate)), ())
        refused = admission.refuse(c, [(run_id, state, reason, now) for run_id, state, reason in decisions.refused])
        ended = [*stopped, *runs.get_runs(c, refused)]
        ends = [(run, room.tasks[run.task_id]) for run in ended]
        fanout.publish_ends(c, ends, self._engine.ids, now)
        self._engine.tell(c, ends, now)
        return ended

    def _room(self, c: Connection, now: datetime, candidates: list[Candidate]) -> Room:
        task_ids = sorted({candidate.task_id for candidate in candidates})
        keys = sorted({candidate.concurrency_key for candidate in candidates if candidate.concurrency_key})
        dedupe_keys = {candidate.dedupe_key for candidate in candidates if candidate.dedupe_key and not candidate.attempt}
        return Room(
            now=now,
            tasks=self._engine.known.get(c, task_ids),
            occupancy=admission.occupancy(c, task_ids),
            busy_keys=admission.busy_keys(c, keys) if keys else set(),
            latest=admission.latest_by_dedupe(c, dedupe_keys, ()) if dedupe_keys else {},
        )

    def _promote(self, room: Room, candidate: Candidate, decisions: Decisions) -> None:
        """A waiting run starts when its task has a place and its key is free."""
        is_free = candidate.instance is not None or room.is_free(candidate)
        if is_free and not self._is_unplaced(room, candidate, decisions):
            room.of(candidate).held -= 1
            self._start(room, candidate, decisions)

    def _is_unplaced(self, room: Room, candidate: Candidate, decisions: Decisions) -> bool:
        task = room.tasks[candidate.task_id]
        obstacle = None if self._is_outside(task) else self._placer.find_obstacle(task)
        if obstacle:
            decisions.unplaced.append((candidate.run_id, obstacle))
            self._placer.stuck.add(candidate.task_id)
        return obstacle is not None

    def _start(self, room: Room, candidate: Candidate, decisions: Decisions) -> None:
        room.take(candidate)
        is_offered = self._is_outside(room.tasks[candidate.task_id])
        (decisions.offered if is_offered else decisions.ready).append(candidate.run_id)

    def _decide(self, room: Room, candidate: Candidate, decisions: Decisions) -> None:
        if room.is_duplicate(candidate):
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
                self._place(room, candidate, decisions)
            case _:
                occupancy.held += 1
                decisions.held.append(candidate.run_id)
                if verdict == "replace":
                    decisions.replaced.add(candidate.task_id)

    def _place(self, room: Room, candidate: Candidate, decisions: Decisions) -> None:
        """It starts, or waits for somebody who can carry it out; of a task that skips, one waits."""
        occupancy, policy = room.of(candidate), room.tasks[candidate.task_id].spec.policy
        if not self._is_unplaced(room, candidate, decisions):
            self._start(room, candidate, decisions)
        elif occupancy.held and policy.overlap == "skip":
            decisions.refused.append((candidate.run_id, "skipped", "overlap"))
        else:
            occupancy.held += 1
            decisions.held.append(candidate.run_id)

    def _replace(self, c: Connection, room: Room, decisions: Decisions) -> list[Run]:
        """Policy terminate: at most one replacement waits, the newest; the oldest active run makes room for it.

        Answers those that were stopped before they started.
        """
        stopped: list[Run] = []
        for task_id in sorted(decisions.replaced):
            *older, _ = sorted(held.run_id for held in admission.list_held(c, [task_id], [], BATCH))
            decisions.refused.extend((run_id, "skipped", "replaced") for run_id in older)
            if room.occupancy[task_id].active >= room.tasks[task_id].spec.policy.max_concurrent:
                stopped += self._stop_oldest(c, task_id, room.now)
        self.free({run.task_id for run in stopped}, ())
        return stopped

    def _stop_oldest(self, c: Connection, task_id: str, now: datetime) -> list[Run]:
        """Unless one is on its way out already."""
        oldest = None if admission.is_stopping(c, task_id) else admission.oldest_active(c, task_id)
        after = runs.request_stop(c, oldest.id, "replaced", now) if oldest else None
        return [after] if after is not None and after.ended_at else []


def _keys(claimed: Iterable[Run]) -> list[tuple[str, int]]:
    return [(run.id, run.fence) for run in claimed]


def _earlier(first: datetime | None, second: datetime | None) -> datetime | None:
    return min(filter(None, (first, second)), default=None)

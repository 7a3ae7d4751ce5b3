"""Turns outcomes into the next state of their runs, in batches, one transaction each."""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from rota.bus import LoopName
from rota.core import service, verdict
from rota.core.errors import RotaError
from rota.core.retry import RECENT_ATTEMPTS
from rota.core.run import Run
from rota.core.service import Instance
from rota.core.states import Reason
from rota.core.task import Task
from rota.core.verdict import Verdict
from rota.engine.context import Engine
from rota.engine.dispatcher import Dispatcher
from rota.engine.loop import Tick
from rota.runners.base import Delivered, Finished, Runner
from rota.store import attempts, fanout, instances, modulestate, runs, settlement, telling
from rota.store.database import Connection
from rota.store.settlement import Ending, RetrySettlement, Settlement

log = structlog.get_logger()

BATCH = 500
# Each claim beyond one for each attempt is about a crash, unless it was given back: it may be this very work that brings the
# server down.
MOST_RESUMES = 50


class Judged(Struct, frozen=True):
    """An attempt that is over, the run and task it belongs to, and what follows."""

    finished: Finished
    run: Run
    task: Task
    verdict: Verdict

    @property
    def key(self) -> tuple[str, int]:
        return (self.run.id, self.finished.fence)

    @property
    def resumes(self) -> bool:
        """Whether the attempt itself goes on. A crash is never retried."""
        return self.verdict.is_retry and self.finished.outcome.state == "crashed"

    @property
    def reason(self) -> Reason | None:
        return "start_failed" if self.verdict.gave_up else self.finished.outcome.reason

    def settlement(self) -> Settlement:
        outcome = self.finished.outcome
        return Settlement(
            run_id=self.run.id,
            fence=self.finished.fence,
            state=outcome.state,
            ended_at=self.finished.ended_at,
            exit_code=outcome.exit_code,
            error=outcome.error,
            reason=self.reason,
            output=outcome.output,
            progress=outcome.progress,
        )

    def ended(self) -> Run:
        outcome, at = self.finished.outcome, self.finished.ended_at
        return replace(
            self.run, state=outcome.state, ended_at=at, exit_code=outcome.exit_code, error=outcome.error, reason=self.reason,
            output=outcome.output, holder=None, progress=self.run.progress if outcome.progress is None else outcome.progress,
        )  # fmt: skip


class Settled(Struct):
    """What one pass wrote: runs as they stand now, the runs their ends have started, and the concurrency keys set free."""

    ended: list[Run] = field(default_factory=list)
    retrying: list[Run] = field(default_factory=list)
    caused: list[Run] = field(default_factory=list)
    told: int = 0
    task_ids: set[str] = field(default_factory=set)
    keys: list[str] = field(default_factory=list)


class Settler:
    """Each pass takes what the runner finished. If the result cannot be written it is kept and tried again, apart from the
    work, which is over.

    is_durable  whether a task's attempt goes on behind its finished steps after a crash
    """

    name: LoopName = "settler"

    def __init__(
        self, engine: Engine, runner: Runner, dispatcher: Dispatcher, is_durable: Callable[[Task], bool] = lambda _: False
    ) -> None:
        self._engine = engine
        self._runner = runner
        self._dispatcher = dispatcher
        self._is_durable = is_durable
        self._unwritten: list[Finished] = []
        self._undelivered: list[Delivered] = []
        self._one_by_one = False

    async def tick(self) -> Tick:
        self._unwritten += self._runner.take_finished()
        self._undelivered += self._runner.take_delivered()
        batch, delivered = self._unwritten[: 1 if self._one_by_one else BATCH], self._undelivered[:]
        if not batch and not delivered:
            self._one_by_one = False
            return Tick()
        try:
            done = await self.settle(batch, delivered)
        except RotaError:
            raise
        except Exception:
            # One of them cannot be written: it goes to the end, and from here on nobody waits for it.
            self._one_by_one = True
            self._unwritten.append(self._unwritten.pop(0))
            raise
        del self._unwritten[: len(batch)], self._undelivered[: len(delivered)]
        counts = {"ended": len(done.ended), "retrying": len(done.retrying), "caused": len(done.caused)}
        return Tick(counts, again=bool(self._unwritten))

    async def settle(self, batch: Sequence[Finished], delivered: Sequence[Delivered] = ()) -> Settled:
        """Write what these attempts came to, then tell everybody. Raises Unavailable with nothing written."""
        now = self._engine.clock.now()
        if self._runner.busy + len(batch) >= self._runner.capacity:
            # It was full, so something may wait for these places: claimed in the transaction that settles them.
            self._engine.bus.wake("dispatcher")
        done = await self._engine.database.write(lambda c: self._settle(c, batch, delivered, now))
        self._runner.acknowledge(batch)
        for spent in filter(None, (item.spent for item in batch)):
            self._engine.vitals.add_spent(spent)
        self._tell(done)
        return done

    async def settle_found(self, find: Callable[[Connection, datetime], Sequence[Finished]]) -> Settled:
        """The same with what is found to be over in the transaction that writes it. Raises Unavailable with nothing written."""
        now = self._engine.clock.now()
        done = await self._engine.database.write(lambda c: self._settle(c, find(c, now), (), now))
        self._tell(done)
        return done

    def _tell(self, done: Settled) -> None:
        engine = self._engine
        for run in done.ended:
            engine.vitals.ended[run.state] += 1
            engine.vitals.durations.observe(_uptime_s(run))
        engine.vitals.retried += len(done.retrying)
        engine.vitals.running = self._runner.busy
        self._dispatcher.free(done.task_ids, done.keys)
        engine.bus.wake("dispatcher")
        if any(run.instance is not None for run in done.ended):
            engine.bus.wake("supervisor")
        if done.told:
            engine.bus.wake("notifier")
        if done.ended and engine.has_doomed:
            engine.bus.wake("pruner")
        engine.announce(done.ended)
        engine.announce(done.retrying, "run.retrying")
        engine.announce(done.caused, "run.created")
        self._tell_fatal([run for run in done.ended if run.reason == "start_failed"])

    def _tell_fatal(self, gave_up: Sequence[Run]) -> None:
        for run in gave_up:
            task = self._engine.known.task(run.task_id)
            attempts = task.spec.service.start_retries + 1 if task.spec.service else run.attempt
            about = {"task_id": task.id, "owner_id": task.owner_id, "task": task.name, "run": run}
            account = {"instance": run.instance, "attempts": attempts, "exit_code": run.exit_code}
            self._engine.bus.publish("service.fatal", about | account)

    def _settle(self, c: Connection, batch: Sequence[Finished], delivered: Sequence[Delivered], now: datetime) -> Settled:
        """One transaction. A finished attempt whose fence is stale changes nothing."""
        for stop in delivered:
            runs.mark_delivered(c, [stop.run_id], stop.at)
        endings = settlement.list_endings(c, [finished.run_id for finished in batch])
        judged = self._judge_all(c, batch, endings, now)
        self._remember(c, judged, now)
        won = set(settlement.settle(c, [each.settlement() for each in judged if not each.verdict.is_retry]))
        again = settlement.settle_retry(c, [self._retry(each) for each in judged if each.verdict.is_retry and not each.resumes])
        again += settlement.resume(c, [each.key for each in judged if each.resumes], now, now)
        done = Settled(
            ended=self._ended(c, judged, won, set(again), now),
            retrying=runs.get_runs(c, again),
            task_ids={each.run.task_id for each in endings},
            keys=[each.concurrency_key for each in endings if each.concurrency_key],
        )
        ends = [(run, self._engine.known.task(run.task_id)) for run in done.ended]
        caused = fanout.publish_ends(c, ends, self._engine.ids, now)
        repeated = [each for each in judged if each.verdict.is_retry and each.run.id in again and not each.resumes]
        failed = [(each.ended(), each.task) for each in repeated]
        log_ends = {each.run.id: each.finished.next_line for each in repeated}
        done.told = self._engine.tell(c, ends, now)
        done.told += telling.tell(c, self._engine.rules, failed, self._engine.ids, now, log_ends)
        done.caused = [new.run for new in caused]
        self._engine.known.get(c, {run.task_id for run in done.caused})
        return done

    def _remember(self, c: Connection, judged: Sequence[Judged], now: datetime) -> None:
        """While the runs are still held: what their modules keep is theirs to say until then."""
        for each in judged:
            if each.finished.outcome.memory is not None:
                modulestate.save_state(c, *each.key, each.finished.outcome.memory, now)

    def _ended(self, c: Connection, judged: Sequence[Judged], won: set[str], again: set[str], now: datetime) -> list[Run]:
        """Runs that ended: by their outcome, or by a stop that came before their retry could."""
        ended = [self._follow_service(c, each, now) for each in judged if each.run.id in won]
        refused = [each.run.id for each in judged if each.verdict.is_retry and each.run.id not in again]
        return ended + [run for run in runs.get_runs(c, refused) if run.ended_at]

    def _retry(self, each: Judged) -> RetrySettlement:
        assert each.verdict.due_at is not None  # noqa: S101  that is what makes it a retry
        outcome = each.finished.outcome
        return RetrySettlement(
            run_id=each.run.id,
            fence=each.finished.fence,
            state=outcome.state,
            ended_at=each.finished.ended_at,
            due_at=each.verdict.due_at,
            next_id=self._engine.ids.new(),
            exit_code=outcome.exit_code,
            error=outcome.error,
            reason=outcome.reason,
            next_line=each.finished.next_line,
            output=outcome.output,
        )

    def _judge_all(self, c: Connection, batch: Sequence[Finished], endings: Sequence[Ending], now: datetime) -> list[Judged]:
        """Of those that are still held: another holder's run, or one that was settled before, is left alone."""
        versions = {each.run.task_id: (each.task_version, each.task_status) for each in endings}
        tasks = self._engine.known.get_as(c, versions)
        running = {(run.id, run.fence): run for run, *_ in endings if run.state == "running"}
        held = [(finished, running[key]) for finished in batch if (key := (finished.run_id, finished.fence)) in running]
        return [
            Judged(finished, run, tasks[run.task_id], self._judge(c, tasks[run.task_id], run, finished, now))
            for finished, run in held
        ]

    def _judge(self, c: Connection, task: Task, run: Run, finished: Finished, now: datetime) -> Verdict:
        outcome, policy = finished.outcome, task.spec.policy
        if task.is_service or task.status != "active":
            # An instance is started again by the supervisor; a task that was paused or canceled meanwhile starts nothing.
            return Verdict(outcome.state)
        uptimes_s = (
            [*attempts.list_uptimes(c, run.id, RECENT_ATTEMPTS), _uptime_s(run, finished.ended_at)] if policy.restart else []
        )
        return verdict.judge(
            policy, run.attempt, outcome, now, draw=self._engine.random.random(),
            resumes=self._resumes(c, task, run), uptimes_s=uptimes_s,
        )  # fmt: skip

    def _resumes(self, c: Connection, task: Task, run: Run) -> bool:
        """What the task says, else as its work is by nature; but never for ever."""
        told, again = task.spec.policy.resume_after_crash, run.fence - run.attempt
        if not (self._is_durable(task) if told is None else told):
            return False
        return again < MOST_RESUMES or again - settlement.count_returned(c, run.id) < MOST_RESUMES

    def _follow_service(self, c: Connection, each: Judged, now: datetime) -> Run:
        """What the end of an instance's run means for its next one; the run as it stands afterwards."""
        policy, run = each.task.spec.service, each.ended()
        if policy is None or run.instance is None:
            return run
        before = instances.find_instance(c, run.task_id, run.instance) or Instance(task_id=run.task_id, number=run.instance)
        after = service.after_exit(policy, before, each.finished.outcome, _uptime_s(run), now)
        instances.upsert_instances(c, [after])
        if not after.fatal:
            return run
        log.error("service instance gave up", task=each.task.name, instance=run.instance, failures=after.fast_failures)
        settlement.mark_reason(c, run.id, "start_failed")
        return replace(run, reason="start_failed")


def _uptime_s(run: Run, ended_at: datetime | None = None) -> float:
    ended_at = ended_at or run.ended_at
    return (ended_at - run.started_at).total_seconds() if run.started_at and ended_at else 0.0

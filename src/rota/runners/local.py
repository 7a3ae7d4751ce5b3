"""Carries attempts out in this process and its children."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

import structlog
from msgspec import structs

from rota.bus import Bus
from rota.clock import Clock
from rota.core.outcome import Outcome, StopCause
from rota.core.placement import Place, find_obstacles
from rota.core.run import Run
from rota.core.service import stop_first
from rota.core.task import Task
from rota.core.verdict import judge
from rota.executors import Context, Executor, StopRequest, kind_of
from rota.executors.timelimit import TimeLimit
from rota.logs import LogName, LogWriter, RunLogs
from rota.process import seal_descriptors
from rota.runners.base import Claim, Delivered, Finished, LogSharing
from rota.runners.growth import LogGrowth
from rota.runners.leavings import Leavings
from rota.runners.ledger import Key, LedgerEntry, ProcessLedger

# Killing and looking for what is left takes this long at most (process.ladder), and a little more.
KILL_S = 8.0
# Where so many attempts go on, others end in a moment: the settler is woken for all of them at once, this much later.
MANY, GATHER_S = 8, 0.01


class Going(NamedTuple):
    """An attempt that is going on."""

    claim: Claim
    stop: StopRequest
    task: asyncio.Task[None]


logger = structlog.get_logger("rota.runner")


class LocalRunner:
    """One asyncio task per attempt.

    secrets  a task's secret variables; their values never appear in its logs or errors
    growth   tells followers that a log of ours has grown
    leavings  keeps what runs leave in their folders; None: nothing
    labels    what is offered to tasks that ask for labels
    sharing   what is done about logs that others read, and may go on with
    """

    def __init__(
        self,
        executors: Mapping[str, Executor],
        logs: RunLogs,
        clock: Clock,
        bus: Bus,
        ledger: ProcessLedger,
        secrets: Callable[[Task], Mapping[str, str]],
        capacity: int = 64,
        growth: LogGrowth | None = None,
        leavings: Leavings | None = None,
        labels: Iterable[str] = (),
    ) -> None:
        self.capacity = capacity
        self.waiting = 0
        self.taken = 0
        self.growth = growth or LogGrowth()
        self.sharing: LogSharing | None = None
        self._executors = executors
        self._logs = logs
        self._is_told_soon = False
        self._clock = clock
        self._bus = bus
        self._ledger = ledger
        self._secrets = secrets
        self._leavings = leavings
        self._here = Place(frozenset(labels), sys.maxsize)
        self._sealed = False
        self._going: dict[str, Going] = {}
        self._abandoned: set[Key] = set()
        # Asked last before anything is begun: whoever was frozen since it was claimed may have lost it.
        self.is_ours: Callable[[], bool] = lambda: True
        self._finished: list[Finished] = []
        self._delivered: list[Delivered] = []

    @property
    def busy(self) -> int:
        return len(self._going)

    def find_obstacles(self, tasks: Sequence[Task]) -> list[str | None]:
        return find_obstacles([task.spec.runs_on for task in tasks], [self._here])

    def start(self, claims: Sequence[Claim]) -> None:
        if not claims:
            return
        try:
            self._seal()
            self._ledger.starting(LedgerEntry(claim.run.id, claim.run.fence) for claim in claims)
        except OSError as error:
            # Without its line in the journal a crash could run it a second time.
            for claim in claims:
                self._finish(
                    claim, Outcome(state="failed", reason="spawn", error=f"the process journal cannot be written: {error}")
                )
            return
        for claim in claims:
            stop = StopRequest()
            task = asyncio.create_task(self._attempt(claim, stop), name=f"attempt {claim.run.id}")
            self._going[claim.run.id] = Going(claim, stop, task)
            self.taken += claim.run.instance is None

    def _seal(self) -> None:
        """Not earlier: our listeners have been opened since. Raises OSError where no descriptor is left to look at the others."""
        if not self._sealed:
            seal_descriptors()
            self._sealed = True

    def ask_stop(self, run_id: str, cause: StopCause) -> bool:
        going = self._going.get(run_id)
        if going:
            going.stop.ask(cause)
        return going is not None

    def take_finished(self) -> list[Finished]:
        taken, self._finished = self._finished, []
        return taken

    def take_delivered(self) -> list[Delivered]:
        taken, self._delivered = self._delivered, []
        return taken

    def acknowledge(self, finished: Iterable[Finished]) -> None:
        finished = list(finished)
        self._journal(lambda: self._ledger.ended((item.run_id, item.fence) for item in finished))
        for item in finished:  # a log without a line does not say itself that it has ended: the run does, from now on
            self.growth.notify(item.run_id)

    async def close(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._stop_in_order()
        await self._kill_all()

    async def adopt(self, left: Sequence[tuple[Run, Task]], holder: str) -> list[Run]:
        return []

    def kill(self, run_id: str) -> None:
        """End one attempt without any grace."""
        going = self._going.get(run_id)
        if going:
            going.stop.ask("shutdown", hurry=True)

    async def abandon(self) -> None:
        """Kill all attempts: they are somebody else's by now, and what they come to here counts for nothing."""
        self._abandoned.update((going.claim.run.id, going.claim.run.fence) for going in self._going.values())
        await self._kill_all()

    async def _kill_all(self) -> None:
        for going in self._going.values():
            going.stop.ask("shutdown", hurry=True)
        if self._going:
            await asyncio.wait(self._tasks(), timeout=KILL_S)
        for run_id, going in list(self._going.items()):
            logger.error("an attempt did not end", run_id=run_id)
            going.task.cancel()
        await asyncio.gather(*self._tasks(), return_exceptions=True)

    async def _stop_in_order(self) -> None:
        """Everything at once, but a service only when nothing that depends on it runs any more."""
        while self._going:
            services = {going.claim.task.name: going.claim.task.spec.service for going in self._going.values()}
            first = stop_first({name: service.depends_on for name, service in services.items() if service})
            for going in self._going.values():
                if not going.claim.task.is_service or going.claim.task.name in first:
                    going.stop.ask("shutdown")
            await asyncio.wait(self._tasks(), return_when=asyncio.FIRST_COMPLETED)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [going.task for going in self._going.values()]

    async def _attempt(self, claim: Claim, stop: StopRequest) -> None:
        outcome, next_line = Outcome(state="failed", error="canceled"), 0
        try:
            if self.sharing is not None:
                await self.sharing.prepare(claim.run, claim.task.name)
            secrets = {**self._secrets(claim.task), **claim.secrets}
            log = self._open_log(claim, list(secrets.values()))
            try:
                outcome = _told_overrun(await self._carry_out(claim, stop, log, secrets), stop)
                log.flush(self._now_ms())
                next_line = log.lines_written
            finally:
                self._close_log(claim, log, outcome)
        except Exception as error:
            logger.exception("an attempt could not begin or end", run_id=claim.run.id)
            outcome = Outcome(state="failed", reason="spawn", error=f"{type(error).__name__}: {error}")
        finally:
            del self._going[claim.run.id]
            self.taken -= claim.run.instance is None
        self._finish(claim, outcome, next_line)

    async def _carry_out(self, claim: Claim, stop: StopRequest, log: LogWriter, secrets: Mapping[str, str]) -> Outcome:
        policy, run = claim.task.spec.policy, claim.run
        if not self.is_ours():
            logger.warning("not begun: it may be another node's by now", run_id=run.id)
            self._abandoned.add((run.id, run.fence))
            return Outcome(state="crashed", reason="node_died")
        limit = TimeLimit(policy.timeout_s, partial(stop.ask, "timeout"))
        context = structs.replace(self._context(claim, stop, log, secrets), limit=limit)
        if run.attempt > 1:
            context.note(f"attempt {run.attempt}" if policy.restart else f"attempt {run.attempt} of {policy.retry.attempts + 1}")
        shortage = self._logs.find_shortage()
        if shortage:
            context.note(f"not started: {shortage.text}")
            return Outcome(state="failed", reason="disk_full", error=shortage.text)
        try:
            with limit:
                outcome = await self._executors[kind_of(claim.task)].execute(context)
                if self._leavings is not None:
                    await self._leavings.collect(run, context.note)
            return outcome
        except Exception as error:
            text = _masked(f"{type(error).__name__}: {error}", secrets.values())
            logger.error("an executor failed", run_id=run.id, task=claim.task.name, error=text)
            context.note(f"internal error: {text}")
            return Outcome(state="failed", error=text)

    def _context(self, claim: Claim, stop: StopRequest, log: LogWriter, secrets: Mapping[str, str]) -> Context:
        return Context(
            task=claim.task,
            run=claim.run,
            log=log,
            stop=stop,
            secrets=secrets,
            on_started=lambda pid, ticks: self._record_start(claim, pid, ticks),
            on_delivered=lambda: self._deliver(claim),
            now_ms=self._now_ms,
            artifacts=self._leavings.place_of(claim.run.id) if self._leavings else None,
            waiting=self._waiting,
        )

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        """Gives the place away at once; it is asked for again when one becomes free, but nobody waits for that."""
        self.waiting += 1
        self._bus.wake("dispatcher")
        try:
            yield
        finally:
            self.waiting -= 1

    def _open_log(self, claim: Claim, masked: list[str]) -> LogWriter:
        run = claim.run
        log = self._logs.writer(
            _log_name(claim), claim.task.spec.policy.log, masked, on_growth=lambda: self.growth.notify(run.id)
        )
        self.growth.begin(run.id, log.live_regions, log.begun_line)
        return log

    def _close_log(self, claim: Claim, log: LogWriter, outcome: Outcome) -> None:
        """The log of a run that will be tried again stays open for the next attempt."""
        self.growth.end(claim.run.id)
        now, run = self._clock.now(), claim.run
        uptimes_s = [*claim.uptimes_s, (now - run.started_at).total_seconds() if run.started_at else 0.0]
        # What has crashed in our own hands goes on after a restart.
        if (
            outcome.state == "crashed"
            or (run.id, run.fence) in self._abandoned
            or judge(claim.task.spec.policy, run.attempt, outcome, now, uptimes_s=uptimes_s).is_retry
        ):
            log.close(_ms(now))
        else:
            log.finalize(_ms(now))
        if self.sharing is not None:
            self.sharing.end(run.id)

    def _record_start(self, claim: Claim, pid: int, start_ticks: int) -> None:
        # Should this fail: the line of its beginning is there, and its processes carry its mark.
        self._journal(lambda: self._ledger.started(LedgerEntry(claim.run.id, claim.run.fence, pid, start_ticks)))

    def _journal(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            logger.warning("the process journal cannot be written", error=str(error))

    def _deliver(self, claim: Claim) -> None:
        self._delivered.append(Delivered(claim.run.id, self._clock.now()))
        self._bus.wake("settler")

    def _finish(self, claim: Claim, outcome: Outcome, next_line: int = 0) -> None:
        run, ended_at = claim.run, self._clock.now()
        if (run.id, run.fence) in self._abandoned:
            self._abandoned.discard((run.id, run.fence))
            self._journal(lambda: self._ledger.ended([(run.id, run.fence)]))
            return
        finished = Finished(run_id=run.id, fence=run.fence, outcome=outcome, ended_at=ended_at, next_line=next_line)
        try:
            self._journal(lambda: self._ledger.finished(finished))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            # The store could not write it down either, and the run would never end.
            finished = structs.replace(finished, outcome=_unwritable(outcome, error))
            self._journal(lambda: self._ledger.finished(finished))
        self._finished.append(finished)
        self._tell_settler()

    def _tell_settler(self) -> None:
        """A pass costs more than a run does, so many short runs are settled in few passes."""
        if len(self._going) < MANY:
            self._bus.wake("settler")
        elif not self._is_told_soon:
            self._is_told_soon = True
            asyncio.get_running_loop().call_later(GATHER_S, self._wake_settler)

    def _wake_settler(self) -> None:
        self._is_told_soon = False
        self._bus.wake("settler")

    def _now_ms(self) -> int:
        return _ms(self._clock.now())


def _told_overrun(outcome: Outcome, stop: StopRequest) -> Outcome:
    """Only a server whose time to stop has run out is in a hurry."""
    overrun = outcome.reason == "shutdown" and stop.hurry.is_set()
    return structs.replace(outcome, reason="shutdown_overrun") if overrun else outcome


def _unwritable(outcome: Outcome, why: Exception) -> Outcome:
    """What is told instead of an outcome that holds what is no JSON or no text."""
    text = f"what it came to cannot be written down: {why}" if outcome.error is None else outcome.error
    state = "failed" if outcome.state == "succeeded" else outcome.state
    return structs.replace(outcome, state=state, error=text.encode(errors="replace").decode(), output=None)


def _log_name(claim: Claim) -> LogName:
    return LogName(claim.task.name, claim.run.created_at, claim.run.id)


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _masked(text: str, secrets: Iterable[str]) -> str:
    for value in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(value, "[redacted]")
    return text

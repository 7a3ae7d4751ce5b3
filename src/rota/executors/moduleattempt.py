"""One run of a module in a worker: what it says, how it is stopped, and what it came to."""

import asyncio
import signal
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from rota.core.outcome import STOP_OUTCOMES, Outcome
from rota.executors.base import Context
from rota.executors.command import WHY
from rota.executors.masked import Masked
from rota.modules.process import Printed, WorkerProcess
from rota.modules.protocol import AskState, Came, Ended, FromWorker, Keep, Said, Start, State
from rota.process import Tree, end_tree
from rota.store import modulestate, runs
from rota.store.database import Database

# How far a run has come is written this long after it was said first, so that what is short costs nothing, and then this often.
FIRST_PROGRESS_S, PROGRESS_S = 0.25, 1.0
# Those it has started itself have this long after it did not stop when it was asked to.
LAST_GRACE_S = 1.0


class Attempt:
    """From start to outcome. `is_clean` tells whether the worker can be used again."""

    def __init__(self, context: Context, worker: WorkerProcess, start: Start, secrets: Sequence[str], database: Database) -> None:
        self._context = context
        self._worker = worker
        self._start = start
        self._database = database
        self._log = Masked(context.log, secrets)
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[Ended | int] = self._loop.create_future()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._percent: int | None = None
        self._written: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopping: asyncio.Task[None] | None = None
        self.is_clean = False

    async def outcome(self) -> Outcome:
        context, worker = self._context, self._worker
        context.on_started(worker.pid, worker.start_ticks)
        context.stop.watch(self._ask_to_stop)
        worker.begin(self._start, self)
        if context.stop.is_asked:
            self._ask_to_stop()
        try:
            end = await self._end
            if self._stopping:
                await self._stopping
            if isinstance(end, Ended) and end.left:
                await self._clear_away(end.left)
            self.is_clean = isinstance(end, Ended) and not end.left and worker.is_usable
        finally:
            if not self.is_clean:
                worker.kill()
            await self._finish_writing()
        return self._judge(end)

    def on_output(self, stream: Printed, chunk: bytes) -> None:
        self._log.write(stream, chunk, self._context.now_ms())
        self._look_at_log()

    def on_message(self, message: FromWorker) -> None:
        match message:
            case Said():
                self._log.write_whole("entry", message.line, self._context.now_ms())
                self._look_at_log()
                if message.percent is not None:
                    self._note_progress(message.percent)
            case Came():
                self._note_progress(message.percent)
            case AskState():
                self._begin(self._tell_state())
            case Keep():
                self._begin(self._keep(message.state))
            case Ended():
                self._finish(message)

    def on_death(self, exit_code: int) -> None:
        self._finish(exit_code)

    def _finish(self, end: Ended | int) -> None:
        if not self._end.done():
            self._end.set_result(end)

    def _ask_to_stop(self) -> None:
        if self._stopping is None and not self._end.done():
            self._stopping = self._loop.create_task(self._stop())

    async def _stop(self) -> None:
        """Ask, wait, end: as the task's policy says."""
        stop, rule = self._context.stop, self._context.task.spec.policy.stop
        assert stop.cause  # noqa: S101  somebody asked
        self._worker.stop()
        self._context.on_delivered()
        self._context.note(f"{WHY[stop.cause]}: the module is asked to stop")
        if await self._ends_within(0.0 if rule.signal == "SIGKILL" else rule.grace_s):
            return
        self._context.note(f"it did not stop within {rule.grace_s:g} s: its process is ended")
        await self._end_tree(min(LAST_GRACE_S, rule.grace_s))

    async def _ends_within(self, limit_s: float) -> bool:
        hurry = asyncio.ensure_future(self._context.stop.hurry.wait())
        try:
            await asyncio.wait((self._end, hurry), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()
        return self._end.done()

    async def _clear_away(self, left: list[str]) -> None:
        if self._context.stop.cause is None:
            self._context.note(f"it left {' and '.join(left)} behind: its process is ended")
        await self._end_tree(LAST_GRACE_S)

    async def _end_tree(self, grace_s: float) -> None:
        tree = Tree(self._start.run_id, self._worker.pid, self._worker.start_ticks)
        number = signal.Signals[self._context.task.spec.policy.stop.signal]
        left = await end_tree(tree, number, grace_s, hurry=self._context.stop.hurry)
        if left:
            self._context.note(f"{left} processes of the run could not be ended")
            self._finish(255)

    def _judge(self, end: Ended | int) -> Outcome:
        cause = self._context.stop.cause if self._stopping else None
        memory = None
        output = None
        if isinstance(end, Ended):
            memory = msgspec.json.decode(end.state) if end.state else None
            output = msgspec.json.decode(end.output) if end.output else None
            if end.traceback and cause is None:
                self._log.write_whole("stderr", end.traceback.encode(errors="replace"), self._context.now_ms())
        self._log.flush(self._context.now_ms())
        if self._context.log.overflowed:
            cause = "log_overflow"
        percent = self._percent
        if cause:
            state, reason = STOP_OUTCOMES[cause]
            error = self._timed_out() if cause == "timeout" else None
            return Outcome(state=state, reason=reason, error=error, output=output, memory=memory, progress=percent)
        if isinstance(end, int):
            return Outcome(state="failed", exit_code=end, error=_cause_of_death(end), progress=percent)
        if end.error is None:
            return Outcome(state="succeeded", output=output, memory=memory, progress=percent)
        return Outcome(state="failed", error=self._log.redact(end.error), memory=memory, progress=percent)

    def _timed_out(self) -> str:
        """By the limit of this run: the task may have another one by the time that this is read."""
        limit_s = self._context.task.spec.policy.timeout_s
        return f"timed out after {limit_s:g} s" if limit_s else "timed out"

    def _look_at_log(self) -> None:
        log = self._context.log
        if log.overflowed:
            self._context.stop.ask("log_overflow")
        elif log.disk_pressure and self._context.task.spec.policy.log.on_full == "kill_task":
            self._context.stop.ask("stop")

    def _note_progress(self, percent: int) -> None:
        self._percent = percent
        if self._timer is None:
            self._timer = self._loop.call_later(FIRST_PROGRESS_S, self._write_progress)

    def _write_progress(self) -> None:
        self._timer = self._loop.call_later(PROGRESS_S, self._write_progress)
        if self._percent is not None and self._percent != self._written:
            self._written = self._percent
            run = self._context.run
            write = partial(runs.note_progress, run_id=run.id, fence=run.fence, percent=self._percent)
            self._begin(self._database.write(write))

    async def _tell_state(self) -> None:
        task_id = self._context.task.id
        state = await self._database.read(lambda c: modulestate.get_state(c, task_id))
        self._worker.tell_state(State(state))

    async def _keep(self, text: bytes) -> None:
        run, at = self._context.run, datetime.fromtimestamp(self._context.now_ms() / 1000, UTC)
        state = msgspec.json.decode(text)
        await self._database.write(lambda c: modulestate.save_state(c, run.id, run.fence, state, at))

    def _begin(self, work: Coroutine[Any, Any, Any]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish_writing(self) -> None:
        """So that nothing of it is written after the run is settled."""
        if self._timer:
            self._timer.cancel()
        if self._stopping and not self._stopping.done():
            self._stopping.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _cause_of_death(exit_code: int) -> str:
    if exit_code <= 128:
        return f"its process ended itself with code {exit_code}"
    try:
        name = signal.Signals(exit_code - 128).name
    except ValueError:
        name = f"signal {exit_code - 128}"
    return f"its process was ended by {name}"

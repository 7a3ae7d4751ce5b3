"""Carries a command out as a process: started, read, stopped, cleared away, judged. Shared by all executors that run one.

When the command ends by itself, what it left in its process group has 2 seconds to print, to end, or to leave; then it
meets the stop ladder: as a service manager does it. A process that left the session on purpose (`setsid`, a daemon) goes on. When
the attempt is stopped, whatever the cause, everything goes that carries its mark, wherever it went.
"""

import asyncio
import contextlib
import errno
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from rota.core.outcome import STOP_OUTCOMES, Outcome, StopCause, judge_exit, stronger
from rota.executors.base import Context
from rota.executors.output import Output
from rota.process import Child, Tree, end_tree, is_gone_within, spawn

LINGER_S = 2.0
# The machine may be out of processes, memory or descriptors only for a moment.
PASSING = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
RETRY_WAITS_S = (0.05, 0.2, 0.5)
WHY: dict[StopCause, str] = {
    "shutdown": "the server is stopping",
    "log_overflow": "the log is full",
    "timeout": "out of time",
    "replaced": "a newer run takes over",
    "removed": "its task was removed",
    "stop": "asked to stop",
    "cancel": "canceled",
}

T = TypeVar("T")


class Unstartable(Exception):
    """The command cannot be started; the message is for the run's log and its record."""


class Command(Struct, frozen=True, kw_only=True):
    """What to start. `umask` -1 inherits. A `working_dir` of None is the server's own."""

    argv: Sequence[str]
    env: Mapping[str, str]
    working_dir: str | None = None
    umask: int = -1


async def carry_out(context: Context, command: Command) -> Outcome:
    """From start to empty process tree. `command.env` has to carry the run's id (`process.RUN_ID_VARIABLE`)."""
    if context.stop.cause:
        return stopped_unstarted(context.stop.cause)
    wake = asyncio.Event()
    context.stop.watch(wake.set)
    try:
        with contextlib.closing(await _patiently(lambda: _open_output(context, wake))) as output:
            child = await _patiently(lambda: _spawn(command, output, wake))
            try:
                context.on_started(child.pid, child.start_ticks)
                output.listen()
                return await _Attendance(context, child, output, wake).outcome()
            finally:
                child.abandon()
    except Unstartable as error:
        return unstartable(context, str(error))


def unstartable(context: Context, error: str) -> Outcome:
    """The outcome of work that could not be started, told in its log."""
    context.note(f"could not start: {error}")
    return Outcome(state="failed", reason="spawn", error=error)


def stopped_unstarted(cause: StopCause) -> Outcome:
    state, reason = STOP_OUTCOMES[cause]
    return Outcome(state=state, reason=reason)


class _Attendance:
    """One started command until its outcome. `wake` is set when it exits, its output ends, or a stop is asked for."""

    def __init__(self, context: Context, child: Child, output: Output, wake: asyncio.Event) -> None:
        self._context = context
        self._child = child
        self._output = output
        self._wake = wake
        self._tree = Tree(context.run.id, child.pid, child.start_ticks, context.run.fence)

    async def outcome(self) -> Outcome:
        stop = self._context.stop
        await self._woken(lambda: self._child.exit_code is not None or stop.is_asked)
        stopped = self._child.exit_code is None
        if stopped:
            await self._end_all()
        else:
            await self._clear_away()
        cause = stop.cause if stopped else None
        # Its last output may overflow the log after it has ended; the outcome is not to depend on who is faster.
        return self._judge(stronger(cause, "log_overflow") if self._context.log.overflowed else cause)

    def _judge(self, cause: StopCause | None) -> Outcome:
        exit_code = self._child.exit_code
        if exit_code is not None:
            return judge_exit(exit_code, cause, self._context.task.spec.policy.exit_codes)
        state, reason = STOP_OUTCOMES[cause or "stop"]
        return Outcome(state=state, reason=reason, error="its process could not be ended")

    async def _end_all(self) -> None:
        stop, rule = self._context.stop, self._context.task.spec.policy.stop
        assert stop.cause  # noqa: S101  somebody asked
        self._context.note(f"{WHY[stop.cause]}: {rule.signal if rule.grace_s else 'SIGKILL'} to all processes of the run")
        left = await end_tree(
            self._tree, signal.Signals[rule.signal], rule.grace_s, hurry=stop.hurry, on_delivered=self._context.on_delivered
        )
        self._note_left(left)
        await self._until(lambda: self._output.has_ended, LINGER_S)

    async def _clear_away(self) -> None:
        """What is left after a command that ended by itself. A stop that comes now has nothing to wait for."""
        stop, rule = self._context.stop, self._context.task.spec.policy.stop
        deadline = asyncio.get_running_loop().time() + LINGER_S
        if not await self._until(lambda: self._output.has_ended or stop.is_asked, LINGER_S):
            self._context.note(f"its output was still held open {LINGER_S:g} s after its end, and is closed")
        if not self._tree.has_group:
            return
        left_s = 0.0 if stop.is_asked else deadline - asyncio.get_running_loop().time()
        if not await is_gone_within(self._tree, left_s, stop.hurry):
            self._context.note("ending the processes it left behind")
            grace_s = 0.0 if stop.is_asked else rule.grace_s
            left = await end_tree(self._tree, signal.Signals[rule.signal], grace_s, escaped=False, hurry=stop.hurry)
            self._note_left(left)

    def _note_left(self, left: int) -> None:
        if left:
            self._context.note(f"{left} processes of the run could not be ended")

    async def _until(self, condition: Callable[[], bool], limit_s: float) -> bool:
        if condition():
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._woken(condition)
        return condition()

    async def _woken(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._wake.clear()
            await self._wake.wait()


async def _open_output(context: Context, wake: asyncio.Event) -> Output:
    return Output(context, wake.set)


async def _spawn(command: Command, output: Output, wake: asyncio.Event) -> Child:
    return await spawn(
        command.argv,
        env=command.env,
        stdout=output.stdout,
        stderr=output.stderr,
        on_exit=wake.set,
        working_dir=command.working_dir,
        umask=command.umask,
    )


async def _patiently(attempt: Callable[[], Awaitable[T]]) -> T:
    """Raises Unstartable, after a few tries where the reason may pass."""
    for wait_s in (*RETRY_WAITS_S, None):
        try:
            return await attempt()
        except ValueError as error:  # a NUL in a variable or parameter
            raise Unstartable(f"unusable variable or parameter: {error}") from error
        except OSError as error:
            if wait_s is None or error.errno not in PASSING:
                raise Unstartable(_explain(error)) from error
            await asyncio.sleep(wait_s)
    raise AssertionError("the last try returns or raises")


def _explain(error: OSError) -> str:
    if error.errno == errno.E2BIG:
        return "script, parameters and environment together are too large for this system (a single one may have 128 KiB)"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)

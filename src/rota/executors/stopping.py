"""How attempts end early that are no process: what they wait for is cancelled, and whoever asked is told."""

import asyncio
import contextlib
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, TypeVar

from rota.core.outcome import STOP_OUTCOMES, Outcome
from rota.executors.base import Context
from rota.executors.command import WHY

# Beyond a script's own grace: killing and looking takes this long at most.
LET_GO_S = 10.0

T = TypeVar("T")


class Stopped(Exception):
    """The run is to stop."""


class Overdue(Exception):
    """No answer within the time it had."""


class StoppableAttempt:
    """One attempt that waits in this process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._delivered = False

    def check_stop(self) -> None:
        """Raises Stopped."""
        if self._context.stop.is_asked:
            raise Stopped

    async def pause(self, wait_s: float) -> None:
        """Raises Stopped."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._context.stop.wait()
        self.check_stop()

    async def within(self, work: Awaitable[T], limit_s: float | None = None) -> T:
        """What the work answers. It is cancelled, and waited for, when its time is over or the run is to stop.

        Raises Stopped and Overdue, and what the work raises.
        """
        call = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._context.stop.wait())
        try:
            await asyncio.wait({call, stop}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                await self._let_go(call)
        finally:
            call.cancel()
            stop.cancel()
        if call.done() and not call.cancelled():
            return call.result()
        self.check_stop()
        raise Overdue

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._context.now_ms() / 1000, UTC)

    def stopped(self, where: str, output: Any = None) -> Outcome:
        cause = self._context.stop.cause or "stop"
        self.deliver()
        self._context.note(f"{WHY[cause]}: ends at {where}")
        state, reason = STOP_OUTCOMES[cause]
        return Outcome(state=state, reason=reason, output=output)

    def deliver(self) -> None:
        """The stop has reached the work."""
        if self._context.stop.is_asked and not self._delivered:
            self._delivered = True
            self._context.on_delivered()

    async def _let_go(self, call: "asyncio.Future[Any]") -> None:
        call.cancel()
        self.deliver()
        grace_s = self._context.task.spec.policy.stop.grace_s
        await asyncio.wait({call}, timeout=grace_s + LET_GO_S)
        if not call.done():
            self._context.note("what it waits for does not let itself be stopped, and is left alone")

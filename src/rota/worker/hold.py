"""Keeps one attempt for its worker, by signs of life that Temporal has answered."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from rota.core.silence import Silence

if TYPE_CHECKING:
    from temporalio.client import AsyncActivityHandle

log = structlog.get_logger("rota.worker")

LONGEST_ANSWER_S = 1.5
PAUSE_S = 0.3


class Hold:
    """Ends when nothing was answered for so long, counted from when it was sent, that Temporal may soon give it up.

    silence    when Temporal does
    on_stop    called at each sign of life after somebody asked for the attempt to end
    on_answer  called with the moment on the monotonic clock until which it is held
    begun      set by the first answer: before that Temporal may have given it up already
    """

    def __init__(
        self,
        handle: "AsyncActivityHandle",
        silence: Silence,
        on_stop: Callable[[], None],
        on_answer: Callable[[float], None],
    ) -> None:
        self._handle = handle
        self._silence = silence
        self._answer = timedelta(seconds=min(LONGEST_ANSWER_S, silence.beat_s))
        self._on_stop = on_stop
        self._on_answer = on_answer
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + silence.hold_s
        self.begun = asyncio.Event()
        self.is_lost = False

    @property
    def is_over(self) -> bool:
        """Whether it was lost, though nobody may have noticed yet. From any thread."""
        return self.is_lost or self._loop.time() >= self._until

    async def keep(self) -> None:
        """Returns when it is lost."""
        loop = self._loop
        try:
            async with asyncio.timeout_at(self._until) as limit:
                while True:
                    sent_at = loop.time()
                    if await self._beat():
                        self._until = sent_at + self._silence.hold_s
                        limit.reschedule(self._until)
                        self._on_answer(self._until)
                        self.begun.set()
                        await asyncio.sleep(sent_at + self._silence.beat_s - loop.time())
                    elif self.is_lost:
                        return
                    else:
                        await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            self.is_lost = True

    async def _beat(self) -> bool:
        """True if it was answered."""
        from temporalio.client import AsyncActivityCancelledError
        from temporalio.service import RPCError, RPCStatusCode

        try:
            await self._handle.heartbeat(rpc_timeout=self._answer)
        except AsyncActivityCancelledError:
            self._on_stop()
        except RPCError as error:
            self.is_lost = error.status is RPCStatusCode.NOT_FOUND
            return False
        return True

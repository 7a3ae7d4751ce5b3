"""Keeps one attempt for its worker, by signs of life that Temporal has answered."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from rota.runners.fleet.link import BEAT_S, HOLD_S

if TYPE_CHECKING:
    from temporalio.client import AsyncActivityHandle

log = structlog.get_logger("rota.worker")

ANSWER = timedelta(seconds=1.5)
PAUSE_S = 0.3


class Hold:
    """Ends when nothing was answered for HOLD_S seconds, counted from when it was sent: so before Temporal gives it up.

    on_stop    called at each sign of life after somebody asked for the attempt to end
    on_answer  called with the moment on the monotonic clock until which it is held
    """

    def __init__(self, handle: "AsyncActivityHandle", on_stop: Callable[[], None], on_answer: Callable[[float], None]) -> None:
        self._handle = handle
        self._on_stop = on_stop
        self._on_answer = on_answer
        self.until = asyncio.get_running_loop().time() + HOLD_S
        self.is_lost = False

    async def keep(self) -> None:
        """Returns when it is lost."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(self.until) as limit:
                while True:
                    sent_at = loop.time()
                    if await self._beat():
                        self.until = sent_at + HOLD_S
                        limit.reschedule(self.until)
                        self._on_answer(self.until)
                        await asyncio.sleep(sent_at + BEAT_S - loop.time())
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
            await self._handle.heartbeat(rpc_timeout=ANSWER)
        except AsyncActivityCancelledError:
            self._on_stop()
        except RPCError as error:
            self.is_lost = error.status is RPCStatusCode.NOT_FOUND
            return False
        return True

"""A loop on one of several nodes: some plan, which is for one node at a time; and none relies on being woken."""

from collections.abc import Callable
from datetime import timedelta

from msgspec.structs import replace

from rota.bus import LoopName
from rota.engine.context import Engine
from rota.engine.loop import Loop, Tick
from rota.engine.seat import Deposed

# A call from another node may get lost.
LOOK_AGAIN = timedelta(seconds=5)


class SharedLoop:
    """Around a loop as it is where one server has the database to itself.

    is_led    it plans
    on_rest   is called in place of a pass where another node plans
    is_ready  whether it may plan yet where this node does
    """

    def __init__(
        self,
        loop: Loop,
        engine: Engine,
        *,
        is_led: bool,
        on_rest: Callable[[], object] = lambda: None,
        is_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name: LoopName = loop.name
        self._loop = loop
        self._engine = engine
        self._is_led = is_led
        self._on_rest = on_rest
        self._is_ready = is_ready

    async def tick(self) -> Tick:
        if self._is_led and not self._engine.leads:
            self._on_rest()
            return Tick()
        if not self._is_ready():
            return Tick()
        try:
            tick = await self._loop.tick()
        except Deposed:
            self._engine.step_down()
            self._on_rest()
            return Tick()
        if not self._engine.has_listeners:
            return tick
        latest = self._engine.clock.now() + LOOK_AGAIN
        return replace(tick, next_at=min(tick.next_at or latest, latest))

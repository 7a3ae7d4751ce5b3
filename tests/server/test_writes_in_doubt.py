"""What a server does when nobody knows whether a change was made."""

import asyncio
from pathlib import Path
from typing import get_args

from tests.running import running

from rota.bus import LoopName
from rota.server import Source

# The rescuer only works at the start, membership by itself.
ELSEWHERE = {"rescuer", "membership"}


def test_every_loop_looks_at_its_work_when_a_write_is_in_doubt(tmp_path: Path) -> None:
    async def live() -> set[str]:
        async with running(Source(None, {}, {"server.data": str(tmp_path / "data")})) as rota:
            for name in get_args(LoopName):
                rota.bus.signal(name).clear()
            rota.database.on_doubt()
            return {name for name in get_args(LoopName) if rota.bus.signal(name).is_set()}

    assert asyncio.run(live()) == set(get_args(LoopName)) - ELSEWHERE

"""Asking until there is an answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rota.core.errors import Unavailable

T = TypeVar("T")
PAUSE_S = 0.3


async def persisting(ask: Callable[[], Awaitable[T]]) -> T:
    """Until the database, or the store of objects, is there; `ask` may be done more than once."""
    while True:
        try:
            return await ask()
        except Unavailable:
            await asyncio.sleep(PAUSE_S)

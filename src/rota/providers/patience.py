"""Tries again what may pass: an overloaded provider, one that asks to wait, a connection that broke."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rota.providers.base import Asked, ProviderFault

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0

T = TypeVar("T")


async def patiently(asked: Asked, attempt: Callable[[], Awaitable[T]], most: int, *, first_wait_s: float = FIRST_WAIT_S) -> T:
    """What `attempt` answers, after up to `most` further tries. A provider that wants a longer wait than a minute has failed."""
    for number in range(most + 1):
        try:
            return await attempt()
        except ProviderFault as fault:
            wait_s = _wait_s(fault, number, first_wait_s)
            if not fault.is_passing or number == most or wait_s > LONGEST_WAIT_S:
                raise
            asked.note(f"{fault.message}; try {number + 2} of {most + 1} in {wait_s:.3g} s")
            await asyncio.sleep(wait_s)
    raise AssertionError("the last try returns or raises")


def _wait_s(fault: ProviderFault, number: int, first_wait_s: float) -> float:
    if fault.retry_after_s is not None:
        return fault.retry_after_s
    return min(LONGEST_WAIT_S, first_wait_s * 2.0**number)

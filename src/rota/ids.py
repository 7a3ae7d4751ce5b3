"""Ids of everything: UUIDv7, 128 bits that rise with time (RFC 9562 §5.7)."""

import os
from collections.abc import Callable
from threading import Lock

from rota.clock import Clock


class SystemEntropy:
    """Random bits of the system, fetched some at a time: asking it costs more than all else of an id."""

    POOL_BYTES = 4096

    def __init__(self) -> None:
        self._pool = b""

    def __call__(self, bits: int) -> int:
        size = (bits + 7) // 8
        if len(self._pool) < size:
            self._pool = os.urandom(self.POOL_BYTES)
        taken, self._pool = self._pool[:size], self._pool[size:]
        return int.from_bytes(taken) >> (size * 8 - bits)


class Ids:
    """Makes ids, in any thread. Two made by one source are never equal and compare in the order they were made.

    Within a millisecond the 12 bits behind the time count up, so that order survives bursts; `entropy` gives the rest and
    can be a seeded source in tests.
    """

    def __init__(self, clock: Clock, entropy: Callable[[int], int] | None = None) -> None:
        self._clock = clock
        self._entropy = entropy or SystemEntropy()
        self._last = 0
        self._turn = Lock()

    def new(self) -> str:
        """An id in canonical text form."""
        with self._turn:  # the event loop and the database's threads make them alike
            ticks = int(self._clock.now().timestamp() * 1000) << 12
            # A burst of more than 4,096 a millisecond, or a clock that steps back, borrows from the time that is to come.
            self._last = ticks = max(ticks, self._last + 1)
            chance = self._entropy(62)
        value = (ticks >> 12 & (1 << 48) - 1) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | chance
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

"""Words that are good for one use, soon: challenges, tickets."""

import secrets
from collections import OrderedDict
from typing import Protocol

from rota.clock import Clock

WORD_BYTES = 32
MOST = 10_000


class Words(Protocol):
    async def issue(self) -> str:
        """64 hex digits that nobody can guess."""

    async def use(self, word: str) -> bool:
        """Whether it was issued, is not too old, and was not used before. Whatever the answer, it is used now."""


class OneTime:
    """Kept in memory: a restart forgets them, and when there are too many the oldest go first."""

    def __init__(self, clock: Clock, lifetime_s: float) -> None:
        self._clock = clock
        self._lifetime_s = lifetime_s
        self._until: OrderedDict[str, float] = OrderedDict()

    async def issue(self) -> str:
        self._drop_old()
        word = secrets.token_hex(WORD_BYTES)
        self._until[word] = self._clock.monotonic() + self._lifetime_s
        return word

    async def use(self, word: str) -> bool:
        until = self._until.pop(word, None)
        return until is not None and self._clock.monotonic() < until

    def _drop_old(self) -> None:
        now = self._clock.monotonic()
        while self._until and (len(self._until) >= MOST or next(iter(self._until.values())) <= now):
            self._until.popitem(last=False)

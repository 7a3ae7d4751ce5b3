"""How many streams may be open at one time, so that forgotten ones do not use the server up."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rota.core.errors import Unavailable


class StreamLimit:
    """`most` in all, `most_each` from one address. The control socket (no address) is exempt. None: no limit."""

    def __init__(self, most: int | None = None, most_each: int | None = None) -> None:
        self._most = most
        self._most_each = most_each
        self._open: Counter[str] = Counter()

    @contextmanager
    def hold(self, address: str | None) -> Iterator[None]:
        """One stream, for the time of it. Raises Unavailable when there are too many."""
        if address is None:
            yield
            return
        if self._most is not None and self._open.total() >= self._most:
            raise Unavailable(f"there are {self._most} open streams already", hint="close some")
        if self._most_each is not None and self._open[address] >= self._most_each:
            raise Unavailable(f"there are {self._most_each} open streams from this address already", hint="close some")
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

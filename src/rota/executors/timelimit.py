"""How long an attempt may take. What it waits for its turn does not count."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class TimeLimit:
    """Counts while it is entered as a context, unless it is paused; then calls `over`, once. Without a limit it does nothing."""

    def __init__(self, limit_s: float | None, over: Callable[[], object]) -> None:
        self._left_s = limit_s
        self._over = over
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        if self._left_s is not None:
            self._timer = asyncio.get_running_loop().call_later(self._left_s, self._over)

    def __exit__(self, *_error: object) -> None:
        self._stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing inside counts."""
        counted = self._timer is not None
        self._stop()
        try:
            yield
        finally:
            if counted:
                self.__enter__()

    def _stop(self) -> None:
        if self._timer is not None:
            self._left_s = max(0.0, self._timer.when() - asyncio.get_running_loop().time())
            self._timer.cancel()
            self._timer = None


def no_limit() -> TimeLimit:
    return TimeLimit(None, lambda: None)

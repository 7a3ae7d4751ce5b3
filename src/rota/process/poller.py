"""Watches descriptors for a loop, by an epoll of our own that the loop sees as one descriptor."""

import asyncio
import os
import select
from collections.abc import Callable
from weakref import WeakKeyDictionary

# As many as are looked at before the loop has its turn again.
BATCH = 64
# Part of what the loop's own way costs: a run needs three, mostly for some milliseconds.
_pollers: "WeakKeyDictionary[asyncio.AbstractEventLoop, Poller]" = WeakKeyDictionary()


class Poller:
    """Calls back for each descriptor that can be read, once per wake-up. One per loop; its epoll is there while it is needed."""

    def __init__(self) -> None:
        self._epoll: select.epoll | None = None
        self._callbacks: dict[int, Callable[[], object]] = {}

    @classmethod
    def of_running_loop(cls) -> "Poller":
        loop = asyncio.get_running_loop()
        poller = _pollers.get(loop)
        if poller is None:
            poller = _pollers[loop] = cls()
        return poller

    def watch(self, fd: int, callback: Callable[[], object]) -> None:
        """Raises OSError."""
        if self._epoll is None:
            self._epoll = select.epoll()
            asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._dispatch)
        self._epoll.register(fd, select.EPOLLIN)
        self._callbacks[fd] = callback

    def close(self, fd: int) -> None:
        """Watches a descriptor no more, if it does, and closes it."""
        if self._callbacks.pop(fd, None) and self._epoll:
            self._epoll.unregister(fd)
        os.close(fd)
        if not self._callbacks and self._epoll:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _dispatch(self) -> None:
        assert self._epoll  # noqa: S101  or the loop would not call
        for fd, _ in self._epoll.poll(0, BATCH):
            callback = self._callbacks.get(fd)
            if callback:  # not closed by one of those before it
                callback()

"""In-process wake-ups and notices. Nothing here is durable: who wakes looks into the store."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol, Self

from msgspec import Struct

LoopName = Literal["scheduler", "dispatcher", "settler", "supervisor", "rescuer", "expirer", "pruner", "notifier", "membership"]
# For other servers alone, not for watchers: the files of a run that is pruned are wherever it was carried out.
LOG_GONE = "log.gone"
# The same of one that somebody wants to read, or to go on with.
LOG_WANTED = "log.wanted"
# There is something for the command that works on a run, wherever that is.
MESSAGE = "run.message"
# A worker has written down what an attempt came to.
OVER = "attempt.over"
# Whatever still works on a run is to end: it is over.
HALT = "run.halt"
# What somebody may do has changed; `actor_id` is None where that may be anybody.
RIGHTS = "rights"
REPLAY = 2048
BACKLOG = 1024
LONGEST_NUMBER = 18


class Notice(Struct, frozen=True):
    """Something happened, for whoever watches. `id` orders notices of one server's life."""

    id: str
    kind: str
    data: dict[str, Any]


class Outward(Protocol):
    """Takes wake-ups and notices to the other servers on the database."""

    def wake(self, name: str) -> None: ...

    def publish(self, kind: str, data: dict[str, Any]) -> None: ...


class Rights:
    """Tells whoever holds something open in somebody's name that this one may do other things than before.

    changes  how many times that was told: what was found out at another count may not hold any more
    """

    def __init__(self) -> None:
        self.changes = 0
        self._followers: dict[str, set[Callable[[], object]]] = {}

    def change(self, actor_id: str | None) -> None:
        """Of that one, or with None of anybody."""
        self.changes += 1
        of_whom = list(self._followers.values()) if actor_id is None else [self._followers.get(actor_id, set())]
        for follower in [each for followers in of_whom for each in followers]:
            follower()

    @contextmanager
    def followed(self, actor_id: str, follower: Callable[[], object]) -> Iterator[None]:
        """`follower` is called at each change of that one's rights."""
        followers = self._followers.setdefault(actor_id, set())
        followers.add(follower)
        try:
            yield
        finally:
            followers.discard(follower)
            if not followers and self._followers.get(actor_id) is followers:
                del self._followers[actor_id]


class Bus:
    """Wakes loops by name and hands notices to watchers.

    outward  told of all that happens here, where there are other servers

    A watcher that is too slow loses notices and is told how many; nobody is ever held up by one.
    """

    def __init__(self, epoch: str = "0") -> None:
        self._epoch = epoch
        self._signals: dict[str, asyncio.Event] = {}
        self._passes: dict[str, asyncio.Event] = {}
        self._ring: deque[Notice] = deque(maxlen=REPLAY)
        self._watchers: set[Watcher] = set()
        self._count = 0
        self._missed_at = 0
        self.outward: Outward | None = None
        self.rights = Rights()

    def signal(self, name: str) -> asyncio.Event:
        """The event that `wake(name)` sets; whoever waits on it clears it."""
        return self._signals.setdefault(name, asyncio.Event())

    def wake(self, name: str) -> None:
        """Let `name` look at its work soon. Cheap, and never lost: it stays set until it is looked at."""
        self.signal(name).set()
        if self.outward is not None:
            self.outward.wake(name)

    def call_others(self, name: str) -> None:
        """The same on the other servers alone."""
        if self.outward is not None:
            self.outward.wake(name)

    def next_pass(self, name: LoopName) -> asyncio.Event:
        """Set when a loop has next looked at its work. To be asked for before looking oneself, so that no pass is missed."""
        return self._passes.setdefault(name, asyncio.Event())

    def tell_pass(self, name: LoopName) -> None:
        """A loop has looked at its work."""
        waited_for = self._passes.pop(name, None)
        if waited_for:
            waited_for.set()

    def forget(self, name: str) -> None:
        """Drop a signal nobody will wait on again."""
        self._signals.pop(name, None)

    @property
    def is_watched(self) -> bool:
        return bool(self._watchers)

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        """Tell whoever watches, here and on the other servers."""
        self.hear(kind, data)
        if self.outward is not None:
            self.outward.publish(kind, data)

    def tell_others(self, kind: str, data: dict[str, Any]) -> None:
        """The same on the other servers alone."""
        if self.outward is not None:
            self.outward.publish(kind, data)

    def hear(self, kind: str, data: dict[str, Any]) -> None:
        """Tell whoever watches here."""
        self._count += 1
        notice = Notice(f"{self._epoch}-{self._count}", kind, data)
        self._ring.append(notice)
        for watcher in self._watchers:
            watcher.offer(notice)

    def tell_rights(self, actor_id: str | None) -> None:
        """Somebody (None: anybody) may do less than before, or other things: told here and on the other servers."""
        self.rights.change(actor_id)
        self.tell_others(RIGHTS, {"actor_id": actor_id})

    def miss(self) -> None:
        """Notices of other servers may have been lost: all watchers are told, and none goes on from before."""
        self._missed_at = self._count
        self.rights.change(None)
        for watcher in self._watchers:
            watcher.lost += 1

    def watch(self, after_id: str | None = None) -> "Watcher":
        """Notices from now on; with `after_id`, those after it first.

        `Watcher.gap` is true when the ring no longer holds everything since `after_id`, or another server's life wrote it.
        """
        replay, gap = self._since(after_id)
        watcher = Watcher(self, replay, gap)
        self._watchers.add(watcher)
        return watcher

    def _since(self, after_id: str | None) -> tuple[list[Notice], bool]:
        if after_id is None:
            return [], False
        epoch, _, number = after_id.rpartition("-")
        if epoch != self._epoch or not number.isdecimal() or len(number) > LONGEST_NUMBER:
            return [], True
        missed = self._count - int(number)
        gap = missed > len(self._ring) or int(number) < self._missed_at
        return list(self._ring)[-missed:] if missed > 0 else [], gap

    def drop(self, watcher: "Watcher") -> None:
        self._watchers.discard(watcher)


class Watcher:
    """One reader of notices. Use it as a context manager, so that it is dropped in the end."""

    def __init__(self, bus: Bus, replay: list[Notice], gap: bool) -> None:
        self._bus = bus
        self._queue: deque[Notice] = deque(replay)
        self._ready = asyncio.Event()
        self.gap = gap
        self.lost = 0
        if replay:
            self._ready.set()

    def offer(self, notice: Notice) -> None:
        if len(self._queue) >= BACKLOG + REPLAY:
            self.lost += 1
            return
        self._queue.append(notice)
        self._ready.set()

    async def next(self) -> Notice:
        while not self._queue:
            self._ready.clear()
            await self._ready.wait()
        return self._queue.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.drop(self)

    async def __aiter__(self) -> AsyncIterator[Notice]:
        while True:
            yield await self.next()

"""The stop ladder: ask, wait, kill, and look until nobody is left (RunWisp §8.4)."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

from rota.process.table import Entry, Identity
from rota.process.tree import Tree, signal_one

FIRST_LOOK_S = 0.005
LONGEST_LOOK_S = 0.05
# A group of zombies that nobody waits for looks alive, but not in /proc; the time between two such looks doubles.
FIRST_SCAN_S = 0.02
KILL_LIMIT_S = 5.0


async def end_tree(
    tree: Tree,
    number: signal.Signals,
    grace_s: float,
    *,
    escaped: bool = True,
    hurry: asyncio.Event | None = None,
    on_delivered: Callable[[], object] = lambda: None,
) -> int:
    """End all processes of a tree: `number` to the group, SIGKILL after `grace_s` (0: at once) or as soon as `hurry` is set.

    escaped  also those that left the session; they get `number` as soon as they are found outside the group
    Returns how many could not be ended within 5 s of killing: 0 but for those in the kernel's hands or out of our rights.
    """
    hurry = hurry or asyncio.Event()
    watch = _Watch(tree, escaped)
    if escaped:
        await watch.look()  # those without a mark are known by their parents, which may die of the signal
    gentle = number is not signal.SIGKILL and grace_s > 0 and not hurry.is_set()
    tree.signal_group(number if gentle else signal.SIGKILL)
    on_delivered()
    if gentle:
        if await watch.gone_within(grace_s, hurry, number):
            return 0
        tree.signal_group(signal.SIGKILL)
    return await _kill(watch.look)


async def is_gone_within(tree: Tree, limit_s: float, hurry: asyncio.Event) -> bool:
    """Whether a tree's group and session become empty by themselves."""
    return await _Watch(tree, escaped=False).gone_within(limit_s, hurry, None)


async def end_group(tree: Tree, grace_s: float = 2.0) -> int:
    """End what a dead server left running: as `end_tree`, with SIGTERM.

    Where the leader is gone its pid may be somebody else's by now, so what carries the run's mark is killed one by one.
    """
    if tree.has_leader():
        return await end_tree(tree, signal.SIGTERM, grace_s)
    return await _kill(lambda: asyncio.to_thread(tree.list_marked))


class _Watch:
    """Looks after a tree until it is empty; whoever was seen once is remembered, wherever it goes."""

    def __init__(self, tree: Tree, escaped: bool) -> None:
        self._tree = tree
        self._escaped = escaped
        self._known: set[Identity] = set()
        self._asked: set[Identity] = set()

    async def look(self) -> list[Entry]:
        living = await asyncio.to_thread(self._tree.list_living, escaped=self._escaped, known=self._known)
        self._known.update(entry.identity for entry in living)
        return living

    async def gone_within(self, limit_s: float, hurry: asyncio.Event, number: signal.Signals | None) -> bool:
        """Whether nobody is left in time. `number` is passed on to those who are found outside the group."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        pause_s, scan_after_s = FIRST_LOOK_S, FIRST_SCAN_S
        while not hurry.is_set() and (left_s := start + limit_s - loop.time()) > 0:
            await _pause(hurry, min(pause_s, left_s))
            pause_s = min(pause_s * 2, LONGEST_LOOK_S)
            waited_s = loop.time() - start
            if not self._tree.has_group or waited_s > scan_after_s:
                scan_after_s = waited_s * 2
                living = await self.look()
                if not living:
                    return True
                self._pass_on(living, number)
        return False

    def _pass_on(self, living: list[Entry], number: signal.Signals | None) -> None:
        for entry in living:
            if number and entry.group != self._tree.pid and entry.identity not in self._asked:
                self._asked.add(entry.identity)
                signal_one(entry, number)


async def _kill(look: Callable[[], Awaitable[list[Entry]]]) -> int:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + KILL_LIMIT_S
    pause_s = FIRST_LOOK_S
    while living := await look():
        for entry in living:
            signal_one(entry, signal.SIGKILL)
        if loop.time() > deadline:
            return len(living)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, LONGEST_LOOK_S)
    return 0


async def _pause(hurry: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await hurry.wait()
    except TimeoutError:
        return

"""The stop ladder: ask, wait, kill, and look until nobody is left (RunWisp §8.4)."""

import asyncio
import signal
from collections.abc import Callable
from functools import partial

from rota.process.table import Entry
from rota.process.tree import Tree, signal_one

FIRST_LOOK_S = 0.005
LONGEST_LOOK_S = 0.05
# A group of zombies that nobody waits for looks alive; how often we make sure by reading /proc.
SCAN_EVERY_S = 1.0
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

    escaped  also those that left the session; they get `number` as soon as the group is gone
    Returns how many could not be ended within 5 s of killing: 0 but for those in the kernel's hands or out of our rights.
    """
    gentle = number is not signal.SIGKILL and grace_s > 0 and not (hurry and hurry.is_set())
    tree.signal_group(number if gentle else signal.SIGKILL)
    on_delivered()
    if gentle:
        if await _Watch(tree, number, escaped).gone_within(grace_s, hurry or asyncio.Event()):
            return 0
        tree.signal_group(signal.SIGKILL)
    return await _kill(partial(tree.list_living, escaped=escaped))


async def end_group(tree: Tree, grace_s: float = 2.0) -> int:
    """End what a dead server left running: as `end_tree`, with SIGTERM.

    Where the leader is gone its pid may be somebody else's by now, so what carries the run's mark is killed one by one.
    """
    if tree.has_leader():
        return await end_tree(tree, signal.SIGTERM, grace_s)
    return await _kill(tree.list_marked)


class _Watch:
    """Waits for a tree to become empty, passing the signal on to those who are found outside the group."""

    def __init__(self, tree: Tree, number: signal.Signals, escaped: bool) -> None:
        self._tree = tree
        self._number = number
        self._escaped = escaped
        self._asked: set[Entry] = set()

    async def gone_within(self, limit_s: float, hurry: asyncio.Event) -> bool:
        loop = asyncio.get_running_loop()
        start = scanned = loop.time()
        pause_s = FIRST_LOOK_S
        while not hurry.is_set() and (left_s := start + limit_s - loop.time()) > 0:
            await _pause(hurry, min(pause_s, left_s))
            pause_s = min(pause_s * 2, LONGEST_LOOK_S)
            if not self._tree.has_group or loop.time() - scanned > SCAN_EVERY_S:
                scanned = loop.time()
                if await self._is_empty():
                    return True
        return False

    async def _is_empty(self) -> bool:
        living = await asyncio.to_thread(self._tree.list_living, escaped=self._escaped)
        for entry in living:
            if entry not in self._asked and entry.group != self._tree.pid:
                self._asked.add(entry)
                signal_one(entry, self._number)
        return not living


async def _kill(list_living: Callable[[], list[Entry]]) -> int:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + KILL_LIMIT_S
    pause_s = FIRST_LOOK_S
    while living := await asyncio.to_thread(list_living):
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

"""A process beside a server or worker, `python keeper.py JOURNAL`: ends its attempts when it cannot do so itself.

It is told on stdin, a line each: run id, fence, and until when on the monotonic clock the attempt is held; `-` when it is over.
`all` in place of the first two is about whatever the journal knows. What is held no more is killed, though whoever began it be
frozen; and everything when that one has died. It stays small: what it needs for that is loaded then.
"""

import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 65536
ALL = "all"
Key = tuple[str, int]
EVERYTHING: Key = (ALL, 0)
# What has not been ended in that time will not be.
PATIENCE_S = 10.0
LOOK_S = 0.02


class Keeper:
    """Its other end."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._start()

    def ensure(self) -> None:
        """Begin another if it has died. What is held is told to it with the next signs of life."""
        if self._process.poll() is not None:
            self._start()

    def _start(self) -> None:
        # Held by the process from its first moment to its last, for whoever begins on this journal next.
        lock = os.open(_lock_of(self._ledger), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _take(lock)
            # -P: the folder of this file is no place to import from.
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(self._ledger)], stdin=subprocess.PIPE, pass_fds=[lock],
                start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(lock)
        assert self._process.stdin is not None  # noqa: S101  asked for above
        self._fd = self._process.stdin.fileno()
        os.set_blocking(self._fd, False)

    def hold(self, run_id: str, fence: int, until: float) -> None:
        self._tell(f"{run_id} {fence} {until}\n")

    def over(self, run_id: str, fence: int) -> None:
        self._tell(f"{run_id} {fence} -\n")

    def hold_all(self, until: float | None) -> None:
        """None: without end."""
        self._tell(f"{ALL} {'-' if until is None else until}\n")

    def close(self) -> None:
        """It ends what is left, if anything is."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self._process.communicate(timeout=10)

    def _tell(self, line: str) -> None:
        # One that has died is begun anew by `ensure`; attempts are not held up by it.
        with suppress(OSError):
            os.write(self._fd, line.encode())


def wait_for_keeper(ledger: Path) -> None:
    """Until that of an earlier life, if there is one, has ended what that life left: it would take ours for it."""
    try:
        lock = os.open(_lock_of(ledger), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        give_up = time.monotonic() + PATIENCE_S
        while not _take(lock) and time.monotonic() < give_up:
            time.sleep(LOOK_S)
    finally:
        os.close(lock)


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_of(ledger: Path) -> Path:
    return ledger.with_suffix(".keeper")


def watch(ledger: Path) -> None:
    """Until the other end is gone."""
    held: dict[Key, float] = {}
    rest = b""
    while True:
        until = min(held.values(), default=None)
        ready, _, _ = select.select([0], [], [], None if until is None else max(0.0, until - time.monotonic()))
        if ready:
            data = os.read(0, MOST_BYTES)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                note(held, line.decode())
        late = [key for key, until in held.items() if until <= time.monotonic()]
        if late:
            end(ledger, None if EVERYTHING in late else late)
        for key in late:
            del held[key]
    end(ledger, None)


def note(held: dict[Key, float], line: str) -> None:
    *name, until = line.split()
    key = EVERYTHING if name == [ALL] else (name[0], int(name[1]))
    if until == "-":
        held.pop(key, None)
    else:
        held[key] = float(until)


def end(ledger: Path, keys: Collection[Key] | None) -> None:
    """Kill every process of these attempts; None: of all that the journal knows."""
    import asyncio

    from rota.process import Tree, end_group, find_survivors
    from rota.runners.ledger import read_open_entries

    async def kill(trees: Collection[Tree]) -> None:
        await asyncio.gather(*(end_group(tree, grace_s=0.0) for tree in trees))

    entries = [entry for entry in read_open_entries(ledger) if keys is None or (entry.run_id, entry.fence) in keys]
    asyncio.run(kill(find_survivors([entry.tree for entry in entries])))


if __name__ == "__main__":
    watch(Path(sys.argv[1]))

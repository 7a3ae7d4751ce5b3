"""A process beside a worker, `python -m rota.worker.keeper JOURNAL`: ends the worker's attempts when it cannot do so itself.

It is told on stdin, a line each: run id, fence, and until when on the monotonic clock the attempt is held; `-` when it is over.
What is held no more is killed, though its worker be frozen; and everything when the worker has died.
"""

import asyncio
import os
import select
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from rota.process import Tree, end_group, find_survivors
from rota.runners.ledger import Key, read_open_entries

MOST_BYTES = 65536


class Keeper:
    """The worker's end of it."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._start()

    def ensure(self) -> None:
        """Begin another if it has died. What is held is told to it with the next signs of life."""
        if self._process.poll() is not None:
            self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rota.worker.keeper", str(self._ledger)], stdin=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdin is not None  # noqa: S101  asked for above
        self._fd = self._process.stdin.fileno()
        os.set_blocking(self._fd, False)

    def hold(self, run_id: str, fence: int, until: float) -> None:
        self._tell(f"{run_id} {fence} {until}\n")

    def over(self, run_id: str, fence: int) -> None:
        self._tell(f"{run_id} {fence} -\n")

    def close(self) -> None:
        """It ends what is left, if anything is."""
        with suppress(OSError):
            self._process.communicate(timeout=10)

    def _tell(self, line: str) -> None:
        # One that has died is begun anew by `ensure`; attempts are not held up by it.
        with suppress(OSError):
            os.write(self._fd, line.encode())


def watch(ledger: Path) -> None:
    """Until the worker is gone."""
    held: dict[Key, float] = {}
    rest = b""
    while True:
        left_s = min(held.values(), default=None)
        ready, _, _ = select.select([0], [], [], None if left_s is None else max(0.0, left_s - time.monotonic()))
        if ready:
            data = os.read(0, MOST_BYTES)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                _note(held, line.decode())
        late = [key for key, until in held.items() if until <= time.monotonic()]
        if late:
            end(ledger, late)
        for key in late:
            del held[key]
    end(ledger, None)


def end(ledger: Path, keys: Collection[Key] | None) -> None:
    """Kill every process of these attempts; None: of all that the journal knows."""
    entries = [entry for entry in read_open_entries(ledger) if keys is None or (entry.run_id, entry.fence) in keys]
    asyncio.run(_kill(find_survivors([entry.tree for entry in entries])))


async def _kill(trees: Collection[Tree]) -> None:
    await asyncio.gather(*(end_group(tree, grace_s=0.0) for tree in trees))


def _note(held: dict[Key, float], line: str) -> None:
    run_id, fence, until = line.split()
    if until == "-":
        held.pop((run_id, int(fence)), None)
    else:
        held[run_id, int(fence)] = float(until)


if __name__ == "__main__":
    watch(Path(sys.argv[1]))

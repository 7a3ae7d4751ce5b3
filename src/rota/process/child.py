"""A process of our own, followed through its pidfd."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence

from rota.process.table import find_start_ticks


class Child:
    """A started process that leads a session and a group. Belongs to the event loop it was started in.

    exit_code  None while it runs; 128 + signal for a death by signal
    """

    def __init__(self, process: subprocess.Popen[bytes], on_exit: Callable[[], object]) -> None:
        self._process = process
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self.pid = process.pid
        self.exit_code: int | None = None
        self._pidfd = os.pidfd_open(process.pid)
        # It is not waited for yet, so even one that has ended still has its entry.
        self.start_ticks = find_start_ticks(process.pid) or 0
        self._loop.add_reader(self._pidfd, self._reap)

    def abandon(self) -> None:
        """Kill what still runs and look after it no more but for waiting. Nothing happens to one that has ended."""
        self._on_exit = _nothing
        if self.exit_code is None:
            os.killpg(self.pid, signal.SIGKILL)

    def _reap(self) -> None:
        status = self._process.poll()
        if status is None:
            return
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.exit_code = status if status >= 0 else 128 - status
        self._on_exit()


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdout: int,
    stderr: int,
    on_exit: Callable[[], object],
    working_dir: str | None = None,
    umask: int = -1,
) -> Child:
    """Start a program in a session and group of its own, with nothing to read on stdin and no descriptor but the three.

    `subprocess.Popen` with none of preexec_fn, user, group takes the vfork path, whose cost does not grow with our own size.

    Raises OSError; its `filename` is `working_dir` if that was the reason.
    """
    process = subprocess.Popen(
        argv,
        env=env,
        cwd=working_dir,
        umask=umask,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    try:
        return Child(process, on_exit)
    except OSError:  # no descriptor left for the pidfd: it must not go on unwatched
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _nothing() -> None:
    """Takes the place of a callback nobody waits for any more."""

"""A process of our own, followed through its pidfd."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from rota.process.launch import posix_spawn
from rota.process.poller import Poller
from rota.process.table import find_start_ticks

UNKNOWN_STATUS = 255
# A start takes the thread that asks for it until the child has called exec: on a busy machine ten times the work it makes. So the
# event loop does not ask itself, and several wait at a time. No thread is there before the first start.
_STARTERS = ThreadPoolExecutor(4, "rota-start")


class Started(NamedTuple):
    """A process that nobody follows yet. `poll` waits for it without blocking: None while it runs, negative for a signal."""

    pid: int
    poll: Callable[[], int | None]
    pidfd: int
    start_ticks: int


class Child:
    """A started process that leads a session and a group. Belongs to the event loop it was started in.

    exit_code  None while it runs; 128 + signal for a death by signal
    """

    def __init__(self, started: Started, on_exit: Callable[[], object]) -> None:
        self._poll = started.poll
        self._pidfd = started.pidfd
        self._on_exit = on_exit
        self._poller = Poller.of_running_loop()
        self.pid = started.pid
        self.start_ticks = started.start_ticks
        self.exit_code: int | None = None
        self._poller.watch(self._pidfd, self._reap)

    def abandon(self) -> None:
        """Kill what still runs and look after it no more but for waiting. Nothing happens to one that has ended."""
        self._on_exit = _nothing
        if self.exit_code is None:
            os.killpg(self.pid, signal.SIGKILL)

    def _reap(self) -> None:
        status = self._poll()
        if status is None:
            return
        self._poller.close(self._pidfd)
        self.exit_code = status if status >= 0 else 128 - status
        self._on_exit()


async def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdout: int,
    stderr: int,
    on_exit: Callable[[], object],
    working_dir: str | None = None,
    umask: int = -1,
    channel: int | None = None,
) -> Child:
    """Start a program in a session and group of its own, with nothing to read on stdin.

    channel  a descriptor that it gets as number 3; not together with a directory or umask

    Both ways in it start by vfork, whose cost does not grow with our own size. The shorter one, half the work for us, knows
    neither directory nor umask, and leaves descriptors open that are not close-on-exec: see `seal_descriptors`.

    Raises OSError; its `filename` is `working_dir` if that was the reason. Who is cancelled waits until the start is over, for it
    needs the descriptors, and leaves nothing running.
    """
    start = partial(_start, argv, env, stdout, stderr, working_dir, umask, channel)
    starting = asyncio.get_running_loop().run_in_executor(_STARTERS, start)
    try:
        await asyncio.wait([starting])
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        if not starting.exception():
            _follow(starting.result(), _nothing).abandon()
        raise
    return _follow(starting.result(), on_exit)


def _start(
    argv: Sequence[str],
    env: Mapping[str, str],
    stdout: int,
    stderr: int,
    working_dir: str | None,
    umask: int,
    channel: int | None,
) -> Started:
    if working_dir is None and umask == -1:
        pid = posix_spawn(argv, env, stdout, stderr, channel)
        poll: Callable[[], int | None] = partial(_poll, pid)
    else:
        pid, poll = _popen(argv, env, stdout, stderr, working_dir, umask)
    try:
        # It is not waited for yet, so even one that has ended still has its entry.
        return Started(pid, poll, os.pidfd_open(pid), find_start_ticks(pid) or 0)
    except OSError:
        _discard(pid, poll)
        raise


def _follow(started: Started, on_exit: Callable[[], object]) -> Child:
    try:
        return Child(started, on_exit)
    except OSError:
        _discard(started.pid, started.poll)
        os.close(started.pidfd)
        raise


def _discard(pid: int, poll: Callable[[], object]) -> None:
    """No descriptor was left to watch it by: it must not go on unwatched."""
    os.killpg(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    poll()


def seal_descriptors() -> None:
    """Make all descriptors but stdin, stdout and stderr close-on-exec; those that Python opens are anyway."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  names are numbers here, not paths
        if int(name) > 2:
            with suppress(OSError):  # the one that listed them
                os.set_inheritable(int(name), False)


def _poll(pid: int) -> int | None:
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # we were started with SIGCHLD ignored, so the kernel did not keep its status
        return UNKNOWN_STATUS
    return os.waitstatus_to_exitcode(status) if found else None


def _popen(
    argv: Sequence[str], env: Mapping[str, str], stdout: int, stderr: int, working_dir: str | None, umask: int
) -> tuple[int, Callable[[], int | None]]:
    """None of preexec_fn, user, group: any of them would fork us whole."""
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
    return process.pid, process.poll


def _nothing() -> None:
    """Takes the place of a callback nobody waits for any more."""

"""A process of our own, followed through its pidfd."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from rota.process.poller import Poller
from rota.process.table import find_start_ticks

Spawned = tuple[int, Callable[[], int | None]]

# Python ignores these, and what is ignored stays so in a program that is started.
IGNORED = [signal.SIGPIPE, signal.SIGXFSZ]
UNKNOWN_STATUS = 255


class Child:
    """A started process that leads a session and a group. Belongs to the event loop it was started in.

    exit_code  None while it runs; 128 + signal for a death by signal
    """

    def __init__(self, pid: int, poll: Callable[[], int | None], on_exit: Callable[[], object]) -> None:
        self._poll = poll
        self._on_exit = on_exit
        self._poller = Poller.of_running_loop()
        self.pid = pid
        self.exit_code: int | None = None
        self._pidfd = os.pidfd_open(pid)
        # It is not waited for yet, so even one that has ended still has its entry.
        self.start_ticks = find_start_ticks(pid) or 0
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
    """Start a program in a session and group of its own, with nothing to read on stdin.

    Both ways in it start by vfork, whose cost does not grow with our own size. The shorter one, half the work for us, knows
    neither directory nor umask, and leaves descriptors open that are not close-on-exec: see `seal_descriptors`.

    Raises OSError; its `filename` is `working_dir` if that was the reason.
    """
    if working_dir is None and umask == -1:
        pid, poll = _posix_spawn(argv, env, stdout, stderr)
    else:
        pid, poll = _popen(argv, env, stdout, stderr, working_dir, umask)
    try:
        return Child(pid, poll, on_exit)
    except OSError:  # no descriptor left for the pidfd: it must not go on unwatched
        os.killpg(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        poll()
        raise


def seal_descriptors() -> None:
    """Make all descriptors but stdin, stdout and stderr close-on-exec; those that Python opens are anyway."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  names are numbers here, not paths
        if int(name) > 2:
            with suppress(OSError):  # the one that listed them
                os.set_inheritable(int(name), False)


def _posix_spawn(argv: Sequence[str], env: Mapping[str, str], stdout: int, stderr: int) -> Spawned:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, stdout, 1),
        (os.POSIX_SPAWN_DUP2, stderr, 2),
    ]
    pid = os.posix_spawn(argv[0], list(argv), env, file_actions=actions, setsid=True, setsigdef=IGNORED)

    def poll() -> int | None:
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # we were started with SIGCHLD ignored, so the kernel did not keep its status
            return UNKNOWN_STATUS
        return os.waitstatus_to_exitcode(status) if found else None

    return pid, poll


def _popen(argv: Sequence[str], env: Mapping[str, str], stdout: int, stderr: int, working_dir: str | None, umask: int) -> Spawned:
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

"""What a worker's process is like: noted before the first run, put back after each, so that no run finds what another left."""

import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Any

TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class Surroundings:
    """As they are when this is made: folder, environment, streams, signals, limits.

    What a module changes while it is loaded is there for all runs: `note` again after that.
    """

    def __init__(self) -> None:
        self.note()

    def note(self) -> None:
        self._environ = _environment()
        self._folder = os.getcwd()  # noqa: PTH109  a Path would be made for each run
        self._umask = _umask()
        self._streams = sys.stdin, sys.stdout, sys.stderr
        self._handlers = _handlers()
        self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._deepest = sys.getrecursionlimit()
        self._lasting = _lasting()

    def restore(self) -> bool:
        """Whether all could be put back. To be called by the main thread, when what was written is flushed."""
        # First of all what could reach into the next run.
        for timer in TIMERS:
            signal.setitimer(timer, 0)
        self._restore_signals()
        self._restore_environment()
        with suppress(OSError):
            if os.getcwd() != self._folder:  # noqa: PTH109
                os.chdir(self._folder)
        if _umask() != self._umask:
            os.umask(self._umask)
        if sys.getrecursionlimit() != self._deepest:
            sys.setrecursionlimit(self._deepest)
        # Others that were put in their place may still hold their buffers, and close them with themselves.
        return _lasting() == self._lasting and (sys.stdin, sys.stdout, sys.stderr) == self._streams

    def _restore_environment(self) -> None:
        now = _environment()
        if now == self._environ:
            return
        for name in now.keys() - self._environ.keys():
            del os.environb[name]
        for name, value in self._environ.items():
            if now.get(name) != value:
                os.environb[name] = value

    def _restore_signals(self) -> None:
        for number, handler in _handlers().items():
            before = self._handlers[number]
            if handler is not before and before is not None:
                signal.signal(number, before)
        if signal.pthread_sigmask(signal.SIG_BLOCK, ()) != self._blocked:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)


def _environment() -> dict[bytes, bytes]:
    return dict(os.environb if _stored is None else _stored)


def _handlers() -> dict[int, Any]:
    """None for what was not set from Python, and cannot be set from there again."""
    return dict(zip(_SIGNALS, map(_getsignal, _SIGNALS), strict=True))


def _umask() -> int:
    """There is no asking without setting."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _lasting() -> tuple[Any, ...]:
    """What only goes in one direction, for who is not root."""
    limits = tuple(resource.getrlimit(which) for which in _LIMITS)
    return os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0), os.getresuid(), os.getresgid(), limits


# What `signal` has put around it makes an enum of each answer: for all of them that takes a tenth of a short run.
_getsignal = getattr(sys.modules.get("_signal"), "getsignal", signal.getsignal)
# To read the environment by name, each of them encoded and decoded, takes half of a short run; this is what it is kept in.
_stored: dict[bytes, bytes] | None = getattr(os.environb, "_data", None)
_SIGNALS = sorted(int(number) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_LIMITS = sorted(value for name, value in vars(resource).items() if name.startswith("RLIMIT_"))

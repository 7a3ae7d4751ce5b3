"""What a run prints, from its two pipes into its log."""

import contextlib
import fcntl
import os
from collections.abc import Callable
from functools import partial

from rota.executors.base import Context
from rota.logs import Stream
from rota.process import Poller

READ_BYTES = 256 * 1024
# What is drawn over and over takes a hundred times as long to follow: some 10 ms for so much.
DRAWN_BYTES = 8 * 1024
PIPE_BYTES = 1024 * 1024
# A read this long means that the pipe was about full: the process waits for us.
FULL_BYTES = 64 * 1024


class Output:
    """The reading ends of stdout and stderr, read by the event loop as they fill, and merged in the order of arrival.

    A wake-up reads one chunk of one pipe, so a run that never stops printing cannot keep the loop from the others. Pipes are
    enlarged only for runs that fill them: the system grants an unprivileged user 64 of 1 MiB, and tiny ones after that.

    on_end  called when the last pipe is at its end: nobody holds it open for writing any more
    """

    def __init__(self, context: Context, on_end: Callable[[], object]) -> None:
        self._context = context
        self._on_end = on_end
        self._poller = Poller.of_running_loop()
        self._open: dict[int, Stream] = {}
        self._writing: list[int] = []
        streams: tuple[Stream, ...] = ("stdout", "stderr")
        try:
            for stream in streams:
                reading, writing = os.pipe()
                self._open[reading] = stream
                self._writing.append(writing)
        except OSError:
            self.close()
            raise

    @property
    def stdout(self) -> int:
        """What the process is to write to."""
        return self._writing[0]

    @property
    def stderr(self) -> int:
        return self._writing[1]

    @property
    def has_ended(self) -> bool:
        return not self._open

    def listen(self) -> None:
        """To be called once the process has its ends."""
        self._close_writing()
        for fd in self._open:
            os.set_blocking(fd, False)
            self._poller.watch(fd, partial(self._read, fd))

    def close(self) -> None:
        """Reads no more; who still writes gets a broken pipe."""
        self._close_writing()
        for fd in list(self._open):
            self._drop(fd)

    def _read(self, fd: int) -> None:
        try:
            chunk = os.read(fd, DRAWN_BYTES if self._context.log.is_drawing else READ_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            self._drop(fd)
            if not self._open:
                self._on_end()
            return
        self._record(self._open[fd], chunk)
        if len(chunk) >= FULL_BYTES:
            with contextlib.suppress(OSError):  # the user's share of pipe memory is used up: a small pipe works too
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def _record(self, stream: Stream, chunk: bytes) -> None:
        log, policy = self._context.log, self._context.task.spec.policy
        log.write(stream, chunk, self._context.now_ms())
        if log.overflowed:
            self._context.stop.ask("log_overflow")
        elif log.disk_pressure and policy.log.on_full == "kill_task":
            self._context.stop.ask("stop")

    def _drop(self, fd: int) -> None:
        del self._open[fd]
        self._poller.close(fd)

    def _close_writing(self) -> None:
        while self._writing:
            os.close(self._writing.pop())

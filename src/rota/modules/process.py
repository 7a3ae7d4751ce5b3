"""A worker's process, as the server sees it."""

import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal, Protocol

import msgspec

from rota.modules.outlet import Outlet
from rota.modules.protocol import MOST_MESSAGE_BYTES, Begin, Ended, Frames, FromWorker, Start, State, Stop, ToWorker, encode
from rota.process import Child, Poller, spawn

READ_BYTES = 256 * 1024
# At a run's end: a pipe holds less, unless somebody fills it as fast as it is read.
MOST_READS = 16
_ENDS = 4
_decode = msgspec.msgpack.Decoder(FromWorker).decode
Printed = Literal["stdout", "stderr"]


class Listener(Protocol):
    """Who hears of the run that a worker is at."""

    def on_output(self, stream: Printed, chunk: bytes) -> None: ...

    def on_message(self, message: FromWorker) -> None:
        """The last one is Ended; all that was printed before it has come by then."""

    def on_death(self, exit_code: int) -> None:
        """The process is gone in the midst of the run; 128 + signal for a death by signal."""


class WorkerProcess:
    """Works on one run at a time. What it prints between two runs is nobody's, and is dropped.

    It has two ways in: a pipe on which it waits for work, and a socket, whose end is watched all the time, for all else and for
    what it says. So a run wakes no thread of it but the one that works.

    runs  how many it has begun
    """

    def __init__(self, on_exit: Callable[["WorkerProcess"], object], realm: str, generation: int) -> None:
        self.realm = realm
        self.generation = generation
        self.runs = 0
        self._on_exit = on_exit
        self._listener: Listener | None = None
        self._poller = Poller.of_running_loop()
        self._frames = Frames(MOST_MESSAGE_BYTES)
        self._open: set[int] = set()
        self._outlets: dict[int, Outlet] = {}
        self._stdout = self._stderr = self._channel = self._starts = -1
        self._printed = select.poll()
        self._child: Child | None = None

    async def start(self, env: Mapping[str, str], memory_max: int) -> None:
        """Raises OSError, with nothing left behind."""
        theirs: list[int] = []
        try:
            self._open_ends(theirs)
            argv = [sys.executable, "-P", "-m", "rota.modules.worker", str(memory_max)]
            stdout, stderr, channel, _ = theirs
            self._child = await spawn(argv, env=env, stdout=stdout, stderr=stderr, channel=channel, on_exit=self._exited)
            for fd, take in (
                (self._stdout, self._read_stdout),
                (self._stderr, self._read_stderr),
                (self._channel, self._receive),
            ):
                os.set_blocking(fd, False)
                self._poller.watch(fd, take)
            self._printed.register(self._stdout, select.POLLIN)
            self._printed.register(self._stderr, select.POLLIN)
            os.set_blocking(self._starts, False)
        except BaseException:
            self.kill()
            raise
        finally:
            for fd in theirs:
                os.close(fd)

    def _open_ends(self, theirs: list[int]) -> None:
        self._stdout, writing = os.pipe()
        self._open.add(self._stdout)
        theirs.append(writing)
        self._stderr, writing = os.pipe()
        self._open.add(self._stderr)
        theirs.append(writing)
        ours, other = socket.socketpair()
        theirs.append(other.detach())
        reading, self._starts = os.pipe()
        theirs.append(reading)
        self._open.add(self._starts)
        socket.send_fds(ours, [b"\0"], [reading])
        self._channel = ours.detach()
        self._open.add(self._channel)
        self._outlets = {fd: Outlet(fd, self.kill_group) for fd in (self._starts, self._channel)}

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def start_ticks(self) -> int:
        return self._process.start_ticks

    @property
    def is_usable(self) -> bool:
        """Whether it lives and has all its ends: a module may have closed some."""
        return self._process.exit_code is None and len(self._open) == _ENDS

    def begin(self, start: Start, listener: Listener) -> None:
        """Its listener hears of this run, and nothing else, until it has ended.

        What was printed before the last one ended was read then; what came since was dropped as it came.
        """
        self._listener = listener
        self.runs += 1
        self._put(self._starts, Begin(self.runs, start))

    def stop(self) -> None:
        """Ask the run that it is at to stop."""
        self._put(self._channel, Stop(self.runs))

    def tell_state(self, state: State) -> None:
        """What the run has asked for."""
        self._put(self._channel, state)

    def retire(self) -> None:
        """It has no work: at the end of its socket it goes by itself, with all it left in its group."""
        self._close(self._channel)

    def kill(self) -> None:
        """It, and all in its process group."""
        if self._child:
            self._child.abandon()
        for fd in list(self._open):
            self._close(fd)

    def _put(self, fd: int, message: Begin | ToWorker) -> None:
        outlet = self._outlets.get(fd)
        if outlet:
            outlet.send(encode(message))

    def _receive(self) -> bool:
        """Whether there may be more."""
        try:
            data = os.read(self._channel, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            # Without its socket nobody can speak with it: whatever it does, it is over.
            self.kill_group()
        try:
            messages = [_decode(body) for body in self._frames.feed(data)]
        except (msgspec.MsgspecError, ValueError):  # somebody else in there wrote to it
            self.kill_group()
            return False
        for message in messages:
            self._hear(message)
        return bool(data)

    def _hear(self, message: FromWorker) -> None:
        listener = self._listener
        if isinstance(message, Ended):
            self._drain()
            self._listener = None
        if listener:
            listener.on_message(message)

    def kill_group(self) -> None:
        """Its exit is then told as any other."""
        self._close(self._channel)
        if self._process.exit_code is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _read_stdout(self) -> None:
        self._read(self._stdout, "stdout")

    def _read_stderr(self) -> None:
        self._read(self._stderr, "stderr")

    def _read(self, fd: int, stream: Printed) -> bool:
        """Whether there may be more."""
        try:
            chunk = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._close(fd)
        elif self._listener:
            self._listener.on_output(stream, chunk)
        return bool(chunk)

    def _drain(self) -> None:
        """What was printed before this moment. What a process that was left behind goes on printing is not waited for."""
        if not self._printed.poll(0):
            return
        ends: tuple[tuple[int, Printed], ...] = ((self._stdout, "stdout"), (self._stderr, "stderr"))
        for fd, stream in ends:
            for _ in range(MOST_READS):
                if fd not in self._open or not self._read(fd, stream):
                    break

    def _exited(self) -> None:
        while self._channel in self._open and self._receive():
            pass
        self._drain()
        listener, self._listener = self._listener, None
        if listener:
            listener.on_death(self._process.exit_code or 0)
        for fd in list(self._open):
            self._close(fd)
        self._on_exit(self)

    def _close(self, fd: int) -> None:
        if fd in self._open:
            self._open.discard(fd)
            if outlet := self._outlets.pop(fd, None):
                outlet.close()
            with suppress(KeyError):  # only what is printed is looked for in it
                self._printed.unregister(fd)
            self._poller.close(fd)

    @property
    def _process(self) -> Child:
        assert self._child  # noqa: S101  nobody has it before it is started
        return self._child

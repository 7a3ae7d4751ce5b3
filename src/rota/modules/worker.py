"""A process that works on runs of modules, one after the other. Started by the server, which it does not outlive."""

import json
import os
import queue
import resource
import signal
import socket
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from rota.core.entry import Level, encode_message, writable
from rota.core.errors import RotaError
from rota.modules.context import Cancelled, Context
from rota.modules.decorator import Module
from rota.modules.protocol import (
    MOST_OUTPUT_BYTES,
    MOST_STATE_BYTES,
    AskState,
    Begin,
    Came,
    Ended,
    Frames,
    FromWorker,
    Keep,
    Said,
    Start,
    State,
    Stop,
    ToWorker,
    encode,
)
from rota.modules.source import BrokenSource, Source, load_source
from rota.modules.surroundings import Surroundings

CHANNEL = 3
PR_SET_PDEATHSIG = 1
READ_BYTES = 256 * 1024
# Of a traceback the end, which says what happened.
MOST_TRACE_CHARACTERS = 64 * 1024
_decode = msgspec.msgpack.Decoder(ToWorker).decode
_decode_begin = msgspec.msgpack.Decoder(Begin).decode


class Link:
    """The socket to the server. Its end is our end: what a dead server's run does would be nobody's."""

    def __init__(self, channel: socket.socket) -> None:
        self.states: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._channel = channel
        self._sending = threading.Lock()
        self._stopping = threading.Lock()
        self._current: tuple[int, Any] | None = None
        self._to_stop = 0
        threading.Thread(target=self._read, name="rota-link", daemon=True).start()

    def send(self, message: FromWorker) -> None:
        with self._sending:
            self._channel.sendall(encode(message))

    @contextmanager
    def working_on(self, number: int, cancel: Any) -> Iterator[None]:
        """No `cancel` is called any more when this is over."""
        with self._stopping:
            self._current = number, cancel
            if self._to_stop == number:  # it came while the module was still being loaded
                cancel()
        try:
            yield
        finally:
            with self._stopping:
                self._current = None

    def _read(self) -> None:
        frames = Frames()
        try:
            with suppress(OSError):
                while data := self._channel.recv(READ_BYTES):
                    for body in frames.feed(data):
                        self._take(_decode(body))
        finally:
            os.killpg(0, signal.SIGKILL)  # what the module has started goes too

    def _take(self, message: ToWorker) -> None:
        match message:
            case State():
                self.states.put(message.state)
            case Stop():
                with self._stopping:
                    self._to_stop = message.number
                    if self._current and self._current[0] == message.number:
                        self._current[1]()


class Work:
    """What is to be done next. Read by whoever does it: to be woken by another thread costs more than a short run."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._frames = Frames()
        self._come: deque[bytes] = deque()

    def take(self) -> Begin:
        """Waits for it, without end: when the server goes, so do we."""
        while not self._come:
            data = os.read(self._fd, READ_BYTES)
            if not data:
                os.killpg(0, signal.SIGKILL)
            self._come.extend(self._frames.feed(data))
        return _decode_begin(self._come.popleft())


class RunChannel:
    """What a run's context speaks through."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.loaded: bytes | None = None

    def say(self, level: Level, message: str, percent: int | None) -> None:
        self._link.send(Said(encode_message(level, message, percent), percent))

    def progress(self, percent: int) -> None:
        self._link.send(Came(percent))

    def get_state(self) -> dict[str, Any]:
        self._link.send(AskState())
        state = self._link.states.get()
        self.loaded = _json(state)
        return state

    def keep(self, state: dict[str, Any]) -> None:
        """Raises ValueError for what is no JSON or too large."""
        self.loaded = encode_state(state)
        self._link.send(Keep(self.loaded))


class Worker:
    """Loads what it needs when it needs it, and keeps it."""

    def __init__(self, link: Link, work: Work) -> None:
        self._link = link
        self._work = work
        self._loaded: dict[Source, dict[str, Module]] = {}
        self._surroundings = Surroundings()
        self._threads = threading.active_count()
        self._pid = os.getpid()

    def serve(self) -> None:
        while True:
            ended = self._work_on(self._work.take())
            if os.getpid() != self._pid:  # the module forked, and this is not the one that was asked
                os._exit(1 if ended.error else 0)
            self._link.send(ended)

    def _work_on(self, begin: Begin) -> Ended:
        channel, start = RunChannel(self._link), begin.start
        context = Context(
            channel, run_id=start.run_id, task=start.task, attempt=start.attempt, key=start.key, params=start.params,
            event=start.event, given=start.given,
        )  # fmt: skip
        ended = self._carry_out(begin, context)
        ended = _with_state(ended, context, channel)
        left = self._find_left()
        return msgspec.structs.replace(ended, left=left) if left else ended

    def _carry_out(self, begin: Begin, context: Context) -> Ended:
        try:
            return Ended(output=_encode_output(self._call(begin, context)))
        except BrokenSource as error:
            return Ended(error=f"the module cannot be loaded: {error}")
        except Cancelled:
            return _CANCELLED
        except SystemExit as error:
            return _exited(error)
        except RotaError as error:  # raised on purpose: its words are for people
            return Ended(error=writable(error.message))
        except MemoryError:
            return Ended(error="out of memory: more than [modules] memory_max allows", traceback=_trace(), left=["memory"])
        except BaseException as error:
            # Whatever it is, it is the run's. What asyncio raises is known by its name, for few modules need asyncio.
            if type(error).__name__ == "CancelledError":
                return _CANCELLED
            return Ended(error=_one_line(error), traceback=_trace())
        finally:
            _flush()

    def _call(self, begin: Begin, context: Context) -> Any:
        start = begin.start
        module = self._find(start)
        os.environ.update(start.env)
        if module.is_async:
            import asyncio

            return asyncio.run(self._call_async(begin, module, context))
        with self._link.working_on(begin.number, context.cancel):
            return module.call(start.params, context)

    async def _call_async(self, begin: Begin, module: Module, context: Context) -> Any:
        import asyncio

        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task  # noqa: S101  that is what a coroutine runs in

        def cancel() -> None:
            context.cancel()
            loop.call_soon_threadsafe(task.cancel)

        with self._link.working_on(begin.number, cancel):
            return await module.call(begin.start.params, context)

    def _find(self, start: Start) -> Module:
        if start.source not in self._loaded:
            self._loaded[start.source] = load_source(start.source)
            # Libraries have threads, variables and handlers of their own.
            self._threads = threading.active_count()
            self._surroundings.note()
        found = self._loaded[start.source].get(start.module)
        if found is None:
            raise LookupError(f"{start.source.where} has no module {start.module} any more")
        return found

    def _find_left(self) -> list[str]:
        """What would go on beside the next run, and speak in its name, or is not as that run should find it."""
        left = [] if self._surroundings.restore() else ["changes"]
        if threading.active_count() > self._threads:
            left.append("threads")
        return [*left, "processes"] if _has_children() else left


def encode_state(state: Any) -> bytes:
    """Raises ValueError for what is no JSON object or too large."""
    text = _json(state)
    if not isinstance(state, dict) or len(text) > MOST_STATE_BYTES:
        raise ValueError(f"the state must be an object of {MOST_STATE_BYTES} bytes of JSON at most")
    return text


def _with_state(ended: Ended, context: Context, channel: RunChannel) -> Ended:
    state = context.touched_state
    if state is None:
        return ended
    try:
        text = encode_state(state)
    except ValueError as error:
        return ended if ended.error else Ended(error=f"its state cannot be kept: {error}")
    return ended if text == channel.loaded else msgspec.structs.replace(ended, state=text)


def _encode_output(output: Any) -> bytes:
    """Raises ValueError for what is no JSON or too large."""
    try:
        text = _json(output)
    except ValueError as error:
        raise ValueError(f"what it returned is not JSON: {error}") from None
    if len(text) > MOST_OUTPUT_BYTES:
        raise ValueError(f"what it returned is larger than {MOST_OUTPUT_BYTES} bytes")
    return text


def _json(value: Any) -> bytes:
    """Raises ValueError."""
    try:
        text = msgspec.json.encode(value)
        text.decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from None
    else:
        return text


def _exited(error: SystemExit) -> Ended:
    """As of a program: 0 is well, a text is told."""
    if error.code in (None, 0):
        return Ended(output=b"null")
    return Ended(error=f"sys.exit({json.dumps(error.code, default=str)})")


def _one_line(error: BaseException) -> str:
    try:
        text = writable(" ".join(str(error).split())[:2000])
    except Exception:  # it cannot even say what is wrong
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _trace() -> str:
    """From the module on: how it was called is nobody's concern."""
    lines = traceback.TracebackException(*sys.exc_info())
    own = [frame for frame in lines.stack if not frame.filename.startswith(_OWN_FOLDER)]
    lines.stack = traceback.StackSummary.from_list(own)
    return writable("".join(lines.format())[-MOST_TRACE_CHARACTERS:])


def _flush() -> None:
    streams = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    for stream in {id(each): each for each in streams}.values():
        with suppress(Exception):  # it was closed, or is whatever the module put there
            stream.flush()  # type: ignore[union-attr]


def _has_children() -> bool:
    """Also such as have ended and were not waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _die_with_server() -> None:
    """Also where a module holds the interpreter, so that nothing here can see the socket's end."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def main() -> None:
    """`MEMORY_MAX` in bytes is the one argument; 0: no limit."""
    os.set_inheritable(CHANNEL, False)
    memory_max = int(sys.argv[1])
    if memory_max:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_max, memory_max))
    _die_with_server()  # before there is any work, which may hold the interpreter
    channel = socket.socket(fileno=CHANNEL)
    _, (starts,), _, _ = socket.recv_fds(channel, 1, 1)
    os.set_inheritable(starts, False)
    Worker(Link(channel), Work(starts)).serve()


_CANCELLED = Ended(error="Cancelled", cancelled=True)
_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100, PTH120

if __name__ == "__main__":
    main()

"""Asks the preloaded process for servers."""

import json
import os
import select
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import rota

PROGRAM = Path(__file__).with_name("preloaded.py")


class Forker:
    """One preloaded process. It ends with `close`, or with us, and the servers with it."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        places = [str(PROGRAM.parents[2]), str(Path(rota.__path__[0]).parent)]
        environ = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
        with theirs:
            self._process = subprocess.Popen([sys.executable, str(PROGRAM)], stdin=theirs.fileno(), env=environ)
        self.codes: dict[int, int] = {}

    def fork(self, **order: Any) -> "ForkedServer":
        """A new server. An order has `words`, `environ`, `folder`, files `out` and `err`, `crash_at` and `nth`."""
        self._channel.send(json.dumps(order).encode())
        while (pid := self._hear()) is None:
            continue
        return ForkedServer(self, pid)

    def listen(self, timeout_s: float) -> bool:
        """Hear of one end, if one is told in that time."""
        is_told = bool(select.select([self._channel], [], [], timeout_s)[0])
        if is_told:
            self._hear()
        return is_told

    def close(self) -> None:
        self._channel.close()
        self._process.wait()

    def _hear(self) -> int | None:
        """The pid of a server that began."""
        message = self._channel.recv(4096)
        assert message, "the preloaded process has ended"
        told: dict[str, int] = json.loads(message)
        if "ended" in told:
            self.codes[told["ended"]] = told["code"]
        return told.get("began")


class ForkedServer:
    """Like a `subprocess.Popen`."""

    def __init__(self, forker: Forker, pid: int) -> None:
        self._forker = forker
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        if self._code is None:
            while self._forker.listen(0):
                continue
            self._code = self._forker.codes.pop(self.pid, None)
        return self._code

    def wait(self, timeout_s: float) -> int:
        give_up = time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            left_s = give_up - time.monotonic()
            if left_s <= 0:
                raise subprocess.TimeoutExpired("the server", timeout_s)
            self._forker.listen(left_s)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

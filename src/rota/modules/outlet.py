"""Sends frames through a descriptor that may not take all of them at once."""

import asyncio
import os
from collections.abc import Callable


class Outlet:
    """What is not taken at once goes when it can, in order. It is told once if nobody reads any more.

    fd  does not block; whoever has it closes it, after `close`
    """

    def __init__(self, fd: int, on_broken: Callable[[], object]) -> None:
        self._fd = fd
        self._on_broken = on_broken
        self._unsent = bytearray()
        self._is_closed = False

    def send(self, frame: bytes) -> None:
        if self._is_closed:
            return
        if self._unsent:
            self._unsent += frame
        elif (sent := self._write(frame)) < len(frame) and not self._is_closed:
            self._unsent += memoryview(frame)[sent:]
            asyncio.get_running_loop().add_writer(self._fd, self._send_more)

    def close(self) -> None:
        if self._unsent:
            asyncio.get_running_loop().remove_writer(self._fd)
        self._unsent.clear()
        self._is_closed = True

    def _send_more(self) -> None:
        sent = self._write(self._unsent)
        del self._unsent[:sent]
        if not self._unsent:
            asyncio.get_running_loop().remove_writer(self._fd)

    def _write(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            self.close()
            self._on_broken()
            return 0

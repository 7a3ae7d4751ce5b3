"""Tells systemd how the server is doing: the protocol of sd_notify(3). Without systemd nothing is said to anybody."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


class ServiceManager:
    """What started us, if that was systemd. What cannot be delivered is dropped: no task depends on it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._watchdog_s = _watchdog_s(environ)

    def tell(self, state: str) -> None:
        """Send one state, such as `READY=1`."""
        if not self._address:
            return
        # A leading @ stands for an address without a file.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto(state.encode(), address)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """For the time of a reload, however it ends."""
        self.tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self.tell(READY)

    async def keep_watchdog(self) -> None:
        """Say that the event loop turns, twice as often as is asked for. Ends at once where nobody asks."""
        while self._watchdog_s is not None:
            self.tell(WATCHDOG)
            await asyncio.sleep(self._watchdog_s / 2)


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """None where there is no watchdog, or it watches another process."""
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(os.getpid()))
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) and pid == str(os.getpid()) else None

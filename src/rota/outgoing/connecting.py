"""Connects to addresses that were checked, while TLS and HTTP still speak of the name."""

import ssl
from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import certifi
import httpcore

Addresses = Callable[[str, int, bool], Awaitable[list[str]]]


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Looks a name up once, has every address checked, and connects to one of them: a second look-up could be another answer."""

    def __init__(self, addresses: Addresses, trusted: bool) -> None:
        self._addresses = addresses
        self._trusted = trusted
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  that is how httpcore hands it over
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await self._addresses(host.strip("[]"), port, self._trusted)
        for number, address in enumerate(found, start=1):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:
                if number == len(found):
                    raise
        raise httpcore.ConnectError("no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("sockets of this machine are not called")

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


def open_pool(addresses: Addresses, trusted: bool, *, most: int, idle: int, idle_s: float) -> httpcore.AsyncConnectionPool:
    return httpcore.AsyncConnectionPool(
        ssl_context=_tls(),
        max_connections=most,
        max_keepalive_connections=idle,
        keepalive_expiry=idle_s,
        network_backend=CheckedBackend(addresses, trusted),
    )


@cache
def _tls() -> ssl.SSLContext:
    """The machine's own authorities; where it has none, those of certifi. Once, for there are hundreds to read."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(Path(paths.capath).glob("*"))):
        return ssl.create_default_context()
    return ssl.create_default_context(cafile=certifi.where())

"""Carries out HTTP calls: the address that was checked is the one that is connected to."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rota.outgoing.address import Guard, Refused, read_url, to_address

if TYPE_CHECKING:
    import httpcore

# A call must not be slower to look up its target than to reach it, and one dead name server must not hold up anybody else.
LOOKUPS = 8
MOST_CONNECTIONS = 100
# Looking through them costs each call more than opening another connection would.
MOST_IDLE = 8
IDLE_S = 15.0

Resolve = Callable[[str, int], Awaitable[list[str]]]
Lines = list[tuple[bytes, bytes]]
# Where a body ends is ours to say: another word for it would let a caller hide a second request in the first.
FRAMING = frozenset({"content-length", "transfer-encoding"})
_CHARSET = re.compile(r"charset=\"?([\w-]+)", re.IGNORECASE)


class Answer(Struct, frozen=True):
    """`body` is what came up to the limit; `is_cut` if there was more. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_cut: bool = False

    @property
    def text(self) -> str:
        """The body in the charset that its type names, or else in UTF-8; what is no character in it is replaced."""
        found = _CHARSET.search(self.headers.get("content-type", ""))
        try:
            return self.body.decode(found[1] if found else "utf-8", errors="replace")
        except (LookupError, UnicodeError):  # some charsets cannot replace
            return self.body.decode("utf-8", errors="replace")


class Failed(Exception):
    """No answer: the message tells why, without the URL."""


class Streamed:
    """An answer that is still coming. Header names are in lower case."""

    def __init__(self, response: "httpcore.Response") -> None:
        self.status: int = response.status
        self.headers = _fields(response)
        self._response = response

    def chunks(self) -> AsyncIterator[bytes]:
        """Its body as it comes; to be read once."""
        return self._response.aiter_stream()

    async def read(self, max_bytes: int) -> bytes:
        """What comes up to the limit."""
        received = b""
        async for chunk in self.chunks():
            received += chunk
            if len(received) > max_bytes:
                break
        return received[:max_bytes]


class Outgoing:
    """Makes calls, within one event loop. Its connections are kept for a while; nothing is loaded before the first call."""

    def __init__(self, guard: Guard, resolve: Resolve | None = None) -> None:
        self._guard = guard
        self._lookups: ThreadPoolExecutor | None = None
        self._resolve = resolve or self._ask_system
        self._pools: dict[bool, httpcore.AsyncConnectionPool] = {}

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        trusted: bool = False,
        timeout_s: float = 10.0,
        max_bytes: int = 65_536,
    ) -> Answer:
        """One call. Redirects are answers like any other.

        trusted    the operator wrote the target into the settings: any address will do
        timeout_s  for all of it, name lookup and body included

        Raises Refused for a target that may not be called, Failed if there was no answer in time.
        """
        target, sent = _asked(url, headers, body)
        import httpcore

        try:
            async with asyncio.timeout(timeout_s):
                return await self._call(method, target, sent, body, trusted, max_bytes)
        except TimeoutError:
            raise Failed(f"no answer within {timeout_s:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise Failed(_words(error)) from error

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        trusted: bool = False,
        idle_s: float = 60.0,
    ) -> AsyncIterator[Streamed]:
        """One call whose answer is read while it comes; it is broken off where the block is left.

        idle_s  longest wait for each step: connecting, sending, each part of the answer

        Raises Refused as `request` does, and Failed also for what happens while the answer is read.
        """
        target, sent = _asked(url, headers, body)
        import httpcore

        limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), idle_s)}
        calling = self._pool(trusted).stream(method, target, headers=sent, content=body, extensions=limits)
        try:
            async with calling as response:
                yield Streamed(response)
        except httpcore.TimeoutException:
            raise Failed(f"nothing came for {idle_s:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise Failed(_words(error)) from error

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()
        if self._lookups is not None:
            self._lookups.shutdown(wait=False, cancel_futures=True)

    async def _call(
        self, method: str, target: "httpcore.URL", headers: "Lines", body: bytes, trusted: bool, max_bytes: int
    ) -> Answer:
        async with self._pool(trusted).stream(method, target, headers=headers, content=body) as response:
            received, is_cut = b"", False
            async for chunk in response.aiter_stream():
                received += chunk
                if len(received) > max_bytes:
                    is_cut = True
                    break
            return Answer(response.status, _fields(response), received[:max_bytes], is_cut)

    def _pool(self, trusted: bool) -> "httpcore.AsyncConnectionPool":
        if trusted not in self._pools:
            from rota.outgoing.connecting import open_pool

            self._pools[trusted] = open_pool(self._addresses, trusted, most=MOST_CONNECTIONS, idle=MOST_IDLE, idle_s=IDLE_S)
        return self._pools[trusted]

    async def _addresses(self, host: str, port: int, trusted: bool) -> list[str]:
        """Where a host is, every one of its addresses checked: one that may not be reached spoils the others."""
        found = await self._resolve(host, port)
        if not found:
            raise Failed("the host is not known")
        if not trusted:
            self._check(host, found)
        return found

    def _check(self, host: str, found: Iterable[str]) -> None:
        for text in found:
            if not self._guard.lets(host, to_address(text)):
                raise Refused("this address may not be called from here; an operator can allow it in [outgoing]")

    async def _ask_system(self, host: str, port: int) -> list[str]:
        if self._lookups is None:
            self._lookups = ThreadPoolExecutor(LOOKUPS, "lookup")
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._lookups, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _asked(url: str, headers: Mapping[str, str] | None, body: bytes) -> "tuple[httpcore.URL, Lines]":
    """Where a call goes, and the lines of its head. Raises Refused."""
    parts, host, port = read_url(url)
    import httpcore

    name = f"[{host}]" if ":" in host else host
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = httpcore.URL(scheme=parts.scheme.encode(), host=name.encode(), port=port, target=_ascii(path))
    given = {key: value for key, value in (headers or {}).items() if key.lower() not in FRAMING}
    sent = {"host": name if parts.port is None else f"{name}:{port}", "user-agent": "rota", **given}
    lines = [(name.encode(), value.encode()) for name, value in sent.items()]
    return target, [*lines, (b"content-length", str(len(body)).encode())]


def _fields(response: "httpcore.Response") -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}


def _ascii(path: str) -> bytes:
    from urllib.parse import quote

    return quote(path, safe="%/:?#[]@!$&'()*+,;=-._~").encode()


def _words(error: Any) -> str:
    kind = type(error).__name__
    words = {"ConnectError": "cannot connect", "ReadError": "the connection broke", "WriteError": "the connection broke",
             "RemoteProtocolError": "the answer is no HTTP", "gaierror": "the host is not known"}  # fmt: skip
    detail = str(error).strip()
    return f"{words.get(kind, kind)}{f': {detail}' if detail else ''}"

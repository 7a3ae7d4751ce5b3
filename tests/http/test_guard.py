"""Connections whose head does not end."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from rota.http.guard import GuardedProtocol
from rota.http.listeners import Listeners
from rota.http.reply import Reply

WHOLE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000


async def app(_scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await Reply(200, b"{}").send(send)


async def ask(path: Path, *parts: bytes) -> bytes:
    """What a server answers until it ends the connection."""
    listeners = Listeners()
    listeners.listen_unix(path, app)
    await listeners.start()
    try:
        reader, writer = await asyncio.open_unix_connection(str(path))
        told = b""
        with suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
            told = await reader.read(1000)
        writer.close()
        return told
    finally:
        await listeners.stop()


def test_an_endless_head_ends_the_connection(tmp_path: Path) -> None:
    fields = [b"X-%d: %s\r\n" % (number, b"a" * 10_000) for number in range(1000)]
    assert asyncio.run(asyncio.wait_for(ask(tmp_path / "s", b"GET / HTTP/1.1\r\n", *fields), 20)) == b""


def test_a_head_that_does_not_come_ends_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GuardedProtocol, "head_s", 0.05)
    assert asyncio.run(asyncio.wait_for(ask(tmp_path / "s", b"GET / HT"), 20)) == b""


def test_a_large_body_is_no_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(asyncio.wait_for(ask(tmp_path / "s", WHOLE), 20)).startswith(b"HTTP/1.1 200")

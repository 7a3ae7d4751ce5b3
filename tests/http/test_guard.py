"""Connections whose head does not end, and those that are too many."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from rota.http.counted import FULL
from rota.http.guard import GuardedProtocol
from rota.http.listeners import Listeners
from rota.http.reply import Reply
from rota.http.room import Room

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


@pytest.mark.parametrize("parser", ["httptools", "h11"])
def test_more_connections_than_there_is_room_for_are_refused_until_one_ends(parser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if parser == "h11":  # as where httptools is not installed
        monkeypatch.setitem(sys.modules, "rota.http.guard", None)
    problems: dict[str, str] = {}
    room = Room(1, problems)

    async def ask_at(port: str) -> tuple[bytes, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return await reader.read(1000), writer

    async def talk() -> None:
        listeners = Listeners(room=room)
        port = listeners.listen("127.0.0.1:0", app).rpartition(":")[2]
        await listeners.start()
        try:
            answer, first = await ask_at(port)
            assert answer.startswith(b"HTTP/1.1 200")
            assert problems == {}
            answer, second = await ask_at(port)
            assert answer == FULL
            assert problems == {"listeners": "1 connections are open, and no more are let in"}
            first.close()
            second.close()
            while room.open:  # noqa: ASYNC110  the server hears of the end when the kernel tells it
                await asyncio.sleep(0.001)
            assert problems == {}
            answer, third = await ask_at(port)
            assert answer.startswith(b"HTTP/1.1 200")
            third.close()
        finally:
            await listeners.stop()

    asyncio.run(asyncio.wait_for(talk(), 20))


def test_a_refusal_says_how_long_it_is() -> None:
    head, _, body = FULL.partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(body) in head

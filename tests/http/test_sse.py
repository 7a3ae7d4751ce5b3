"""Holding a stream open."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from starlette.types import Message

from rota.http.sse import HEARTBEAT, event, send_events


class Client:
    """Takes what is sent; `slow` takes nothing until it is released."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.gone = asyncio.Event()
        self.ready = asyncio.Event()
        self.ready.set()

    async def send(self, message: Message) -> None:
        await self.ready.wait()
        if message["type"] == "http.response.body":
            self.got.append(message["body"])

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}


class Source:
    """Gives what it is told to give, and notes that it was closed."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.taken = 0
        self.closed = False

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            while (chunk := await self.queue.get()) is not None:
                self.taken += 1
                yield chunk
        finally:
            self.closed = True


async def turns(count: int = 20) -> None:
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_an_event_is_id_kind_and_json_in_one_block() -> None:
    assert event("line", {"text": "a\nb"}, 7) == b'id: 7\nevent: line\ndata: {"text":"a\\nb"}\n\n'
    assert event("done", None) == b"event: done\ndata: null\n\n"


def test_a_stream_ends_with_its_source() -> None:
    async def talk() -> None:
        client, source = Client(), Source()
        for chunk in (b"one", b"two", None):
            source.queue.put_nowait(chunk)
        await send_events(source.chunks(), client.receive, client.send, asyncio.Event())
        assert client.got == [HEARTBEAT, b"one", b"two", b""]
        assert source.closed

    asyncio.run(talk())


def test_silence_is_filled_with_heartbeats() -> None:
    async def talk() -> None:
        client, source = Client(), Source()
        serving = asyncio.ensure_future(
            send_events(source.chunks(), client.receive, client.send, asyncio.Event(), heartbeat_s=0.001)
        )
        while len(client.got) < 4:  # noqa: ASYNC110 - the heartbeats themselves are what is waited for
            await asyncio.sleep(0)
        source.queue.put_nowait(b"late")
        source.queue.put_nowait(None)
        await serving
        assert client.got[:4] == [HEARTBEAT] * 4
        assert b"late" in client.got

    asyncio.run(talk())


def test_a_client_that_goes_closes_its_source() -> None:
    async def talk() -> None:
        client, source = Client(), Source()
        serving = asyncio.ensure_future(send_events(source.chunks(), client.receive, client.send, asyncio.Event()))
        await turns()
        client.gone.set()
        await serving
        assert source.closed

    asyncio.run(talk())


def test_a_slow_client_holds_back_its_own_source_alone() -> None:
    async def talk() -> None:
        client, source = Client(), Source()
        client.ready.clear()
        serving = asyncio.ensure_future(send_events(source.chunks(), client.receive, client.send, asyncio.Event()))
        for _ in range(100):
            source.queue.put_nowait(b"x")
        await turns()
        assert source.taken <= 1
        client.gone.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(serving), 0.01)
        client.ready.set()
        await serving
        assert source.closed

    asyncio.run(talk())


def test_a_closing_server_ends_the_stream() -> None:
    async def talk() -> None:
        client, source, closing = Client(), Source(), asyncio.Event()
        serving = asyncio.ensure_future(send_events(source.chunks(), client.receive, client.send, closing))
        await turns()
        closing.set()
        await serving
        assert client.got == [HEARTBEAT, b""]

    asyncio.run(talk())

"""Server-sent events (HTML standard, §9.2): writing them, and holding the line open."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Send

from rota.http.reply import SECURITY_HEADERS, encode

HEARTBEAT_S = 15.0
HEARTBEAT = b": \n\n"
# Tells proxies not to collect what is meant to arrive at once.
HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no"), *SECURITY_HEADERS]


def event(kind: str, data: Any, event_id: str | int | None = None) -> bytes:
    """One event. Kind and id are our own words and never hold a line break; JSON has none."""
    place = b"" if event_id is None else b"id: %s\n" % str(event_id).encode()
    return b"%sevent: %s\ndata: %s\n\n" % (place, kind.encode(), encode(data))


async def send_events(
    chunks: AsyncGenerator[bytes],
    receive: Receive,
    send: Send,
    closing: asyncio.Event,
    heartbeat_s: float = HEARTBEAT_S,
    lost: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Send until the events end, the client goes, or the server closes. Who reads slowly holds up nobody but itself.

    lost  is over when the client may not be shown them any more: nothing is sent from then on
    """
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    finished = await _first_of(_pump(chunks, send, heartbeat_s), _gone(receive), closing.wait(), *([lost()] if lost else ()))
    if finished != 1:
        with suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _pump(chunks: AsyncGenerator[bytes], send: Send, heartbeat_s: float) -> None:
    pending = asyncio.ensure_future(_next(chunks))
    # The source listens before the client hears anything, so that nothing which the client then causes is missed.
    await asyncio.sleep(0)
    await _write(send, HEARTBEAT)
    try:
        while True:
            done, _ = await asyncio.wait({pending}, timeout=heartbeat_s)
            if not done:
                await _write(send, HEARTBEAT)
                continue
            chunk = pending.result()
            if chunk is None:
                return
            await _write(send, chunk)
            pending = asyncio.ensure_future(_next(chunks))
    finally:
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)
        await chunks.aclose()


async def _next(chunks: AsyncGenerator[bytes]) -> bytes | None:
    return await anext(chunks, None)


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first_of(*works: Coroutine[Any, Any, Any]) -> int:
    """Number of the first to end; the others are cancelled and awaited. Raises what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        first = next((number for number, task in enumerate(tasks) if task.done()), -1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    tasks[first].result()
    return first

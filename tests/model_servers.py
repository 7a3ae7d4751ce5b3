"""Answers of language models on the wire, as their services send them."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any

from tests.receivers import Answering, answer


def streams(*events: str, cut: bool = False, slices: int = 1, waits: asyncio.Event | None = None) -> Answering:
    """A stream of server-sent events. `cut`: the connection breaks after the last of them. `slices`: so many bytes at a time.
    `waits`: half of it comes only when that is set."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        pieces = list(_sliced("".join(events).encode(), slices))
        for number, piece in enumerate(pieces):
            if waits is not None and number == len(pieces) // 2:
                await waits.wait()
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        if cut:
            writer.transport.abort()
            return
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return act


async def dribble(writer: asyncio.StreamWriter) -> None:
    """A stream that never comes to anything."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"8\r\n: ping\n\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


def _sliced(data: bytes, slices: int) -> Iterator[bytes]:
    size = max(1, -(-len(data) // slices))
    for start in range(0, len(data), size):
        yield data[start : start + size]


def event(kind: str, **data: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"


def anthropic(*words: str, uses: Sequence[tuple[str, str, dict[str, Any]]] = (), ends: bool = True) -> list[str]:
    """Events of a message. `uses`: tool calls as (id, name, arguments)."""
    start = {"id": "msg_1", "role": "assistant", "content": [], "usage": {"input_tokens": 7, "output_tokens": 1}}
    found = [event("message_start", message=start), event("ping")]
    if words:
        found.append(event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
        found += [event("content_block_delta", index=0, delta={"type": "text_delta", "text": word}) for word in words]
        found.append(event("content_block_stop", index=0))
    for index, (use_id, name, arguments) in enumerate(uses, start=1):
        text = json.dumps(arguments)
        found.append(
            event("content_block_start", index=index, content_block={"type": "tool_use", "id": use_id, "name": name, "input": {}})
        )
        for piece in (text[:3], text[3:]):
            found.append(event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": piece}))
        found.append(event("content_block_stop", index=index))
    if ends:
        reason = "tool_use" if uses else "end_turn"
        found += [event("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 12}), event("message_stop")]
    return found


def openai(*words: str, uses: Sequence[tuple[str, str, dict[str, Any]]] = (), ends: bool = True) -> list[str]:
    """Chunks of a chat completion."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": word} for word in words)]
    for index, (use_id, name, arguments) in enumerate(uses):
        text = json.dumps(arguments)
        deltas.append({"tool_calls": [{"index": index, "id": use_id, "function": {"name": name, "arguments": text[:3]}}]})
        deltas.append({"tool_calls": [{"index": index, "function": {"arguments": text[3:]}}]})
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if ends:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls" if uses else "stop"}]})
        chunks.append({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 12, "total_tokens": 19}})
    return [*(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), *(["data: [DONE]\n\n"] if ends else [])]


def prediction(status: str, output: Any = None, **more: Any) -> Answering:
    """Replicate's."""
    body = {"id": "gm3qorzdhgbfurvjtvhg6dckhu", "status": status, "output": output, "error": None, **more}
    return answer(201 if status == "starting" else 200, json.dumps(body).encode(), content_type="application/json")


def refuses(status: int, kind: str, message: str, **headers: str) -> Answering:
    """An error as Anthropic and OpenAI send it."""
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return answer(status, json.dumps(body).encode(), content_type="application/json", **headers)

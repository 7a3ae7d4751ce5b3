"""Chat completions as OpenAI has them, and many others after it; streamed."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from rota.providers.base import Asked, Completion, ToolUse, Turn
from rota.providers.remote import Remote
from rota.providers.wire import Wire, told

BASE_URL = "https://api.openai.com/v1"


class OpenAI(Remote):
    async def complete(self, asked: Asked) -> Completion:
        return await self._patiently(asked, lambda: self._attempt(asked))

    async def _attempt(self, asked: Asked) -> Completion:
        key = asked.apikey or self._wire.api_key
        headers = {"authorization": f"Bearer {key}"} if key else {}
        answer = _Answer(self._wire, asked)
        async with self._wire.ask_events("/chat/completions", headers, body_of(asked)) as events:
            async for event in events:
                if event.data == "[DONE]":
                    break
                answer.take(event.data)
        if answer.completion.stop is None:
            raise self._wire.fault("the answer broke off", is_passing=True)
        return answer.whole()


def body_of(asked: Asked) -> dict[str, Any]:
    system = [{"role": "system", "content": asked.system}] if asked.system else []
    optional = {
        "temperature": asked.temperature,
        "tools": [
            {"type": "function", "function": {"name": each.name, "description": each.description, "parameters": each.schema}}
            for each in asked.tools
        ]
        or None,
    }
    return {
        "model": asked.model,
        "max_tokens": asked.max_tokens,
        "messages": [*system, *(message for turn in asked.turns for message in _messages(turn))],
        "stream": True,
        "stream_options": {"include_usage": True},
        **{name: value for name, value in optional.items() if value is not None},
    }


def _messages(turn: Turn) -> Iterator[dict[str, Any]]:
    yield from ({"role": "tool", "tool_call_id": each.id, "content": each.text} for each in turn.results)
    calls = [
        {
            "id": each.id,
            "type": "function",
            "function": {"name": each.name, "arguments": msgspec.json.encode(each.arguments).decode()},
        }
        for each in turn.uses
    ]
    if calls:
        yield {"role": turn.role, "content": turn.text or None, "tool_calls": calls}
    elif turn.text or not turn.results:
        yield {"role": turn.role, "content": turn.text}


class _Call(Struct):
    """A tool call that comes in pieces."""

    id: str = ""
    name: str = ""
    arguments: str = ""


class _Answer:
    """An answer put together from its chunks."""

    def __init__(self, wire: Wire, asked: Asked) -> None:
        self.completion = Completion()
        self._wire = wire
        self._asked = asked
        self._calls: dict[int, _Call] = {}

    def take(self, data: str) -> None:
        """Raises ProviderFault for an error, and for what is no chunk of this API."""
        chunk = self._wire.decode(data)
        try:
            self._take(chunk)
        except (KeyError, TypeError, AttributeError):
            raise self._wire.fault("a part of the answer is not as it should be", is_passing=True) from None

    def whole(self) -> Completion:
        """Raises ProviderFault for arguments that are no JSON object."""
        for _, call in sorted(self._calls.items()):
            arguments = self._wire.decode(call.arguments or "{}")
            if not isinstance(arguments, dict):
                raise self._wire.fault(f"the arguments for {call.name} are no object", is_passing=True)
            self.completion.uses = [*self.completion.uses, ToolUse(call.id, call.name, arguments)]
        return self.completion

    def _take(self, chunk: dict[str, Any]) -> None:
        if chunk.get("error"):
            raise self._wire.fault(told(chunk["error"]), is_passing=True)
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            if delta.get("content"):
                self.completion.text += delta["content"]
                self._asked.on_text(delta["content"])
            for piece in delta.get("tool_calls") or ():
                self._add(piece)
            self.completion.stop = choice.get("finish_reason") or self.completion.stop
        usage = chunk.get("usage") or {}
        if usage:
            counted = {"input_tokens": usage.get("prompt_tokens"), "output_tokens": usage.get("completion_tokens")}
            self.completion.usage = {name: count for name, count in counted.items() if isinstance(count, int)}

    def _add(self, piece: dict[str, Any]) -> None:
        call = self._calls.setdefault(piece.get("index", 0), _Call())
        function = piece.get("function") or {}
        call.id = piece.get("id") or call.id
        call.name += function.get("name") or ""
        call.arguments += function.get("arguments") or ""

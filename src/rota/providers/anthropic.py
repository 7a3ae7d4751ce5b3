"""Anthropic's Messages API, streamed."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from rota.providers.base import Asked, Completion, ProviderFault, ToolUse, Turn
from rota.providers.events import Event
from rota.providers.remote import Remote
from rota.providers.wire import Wire, told

BASE_URL = "https://api.anthropic.com"
VERSION = "2023-06-01"
PASSING = frozenset({"overloaded_error", "api_error", "rate_limit_error", "timeout_error"})


class Anthropic(Remote):
    async def complete(self, asked: Asked) -> Completion:
        return await self._patiently(asked, lambda: self._attempt(asked))

    async def _attempt(self, asked: Asked) -> Completion:
        headers = {"x-api-key": asked.apikey or self._wire.api_key, "anthropic-version": VERSION}
        answer = _Answer(self._wire, asked)
        async with self._wire.ask_events("/v1/messages", headers, body_of(asked)) as events:
            async for event in events:
                answer.take(event)
                if answer.is_whole:
                    return answer.completion
        raise self._wire.fault("the answer broke off", is_passing=True)


def body_of(asked: Asked) -> dict[str, Any]:
    optional = {
        "system": asked.system or None,
        "temperature": asked.temperature,
        "tools": [{"name": each.name, "description": each.description, "input_schema": each.schema} for each in asked.tools]
        or None,
    }
    return {
        "model": asked.model,
        "max_tokens": asked.max_tokens,
        "messages": [{"role": turn.role, "content": _blocks(turn)} for turn in asked.turns],
        "stream": True,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _blocks(turn: Turn) -> Sequence[Mapping[str, Any]]:
    results = [
        {"type": "tool_result", "tool_use_id": each.id, "content": each.text, "is_error": each.is_error} for each in turn.results
    ]
    uses = [{"type": "tool_use", "id": each.id, "name": each.name, "input": each.arguments} for each in turn.uses]
    text = [{"type": "text", "text": turn.text}] if turn.text or not (results or uses) else []
    return [*results, *text, *uses]


class _Block(Struct):
    """A tool call whose arguments come in pieces."""

    id: str
    name: str
    pieces: list[str] = field(default_factory=list)


class _Answer:
    """An answer put together from its events."""

    def __init__(self, wire: Wire, asked: Asked) -> None:
        self.completion = Completion()
        self.is_whole = False
        self._wire = wire
        self._asked = asked
        self._open: dict[int, _Block] = {}

    def take(self, event: Event) -> None:
        """Raises ProviderFault for an error, and for what is no event of this API."""
        data = self._wire.decode(event.data)
        try:
            self._take(event.kind or data["type"], data)
        except (KeyError, TypeError, AttributeError):
            raise self._wire.fault(f"an event {event.kind[:50]!r} is not as it should be", is_passing=True) from None

    def _take(self, kind: str, data: dict[str, Any]) -> None:
        match kind:
            case "message_start":
                self._count(data["message"].get("usage") or {})
            case "content_block_start" if data["content_block"]["type"] == "tool_use":
                block = data["content_block"]
                self._open[data["index"]] = _Block(block["id"], block["name"])
            case "content_block_delta":
                self._add(data["index"], data["delta"])
            case "content_block_stop":
                self._close(data["index"])
            case "message_delta":
                self.completion.stop = data["delta"].get("stop_reason")
                self._count(data.get("usage") or {})
            case "message_stop":
                self.is_whole = True
            case "error":
                raise self._fault(data["error"])

    def _add(self, index: int, delta: dict[str, Any]) -> None:
        if delta["type"] == "text_delta":
            self.completion.text += delta["text"]
            self._asked.on_text(delta["text"])
        elif delta["type"] == "input_json_delta":
            self._open[index].pieces.append(delta["partial_json"])

    def _close(self, index: int) -> None:
        block = self._open.pop(index, None)
        if block is not None:
            arguments = self._wire.decode("".join(block.pieces) or "{}")
            self.completion.uses = [*self.completion.uses, ToolUse(block.id, block.name, dict(arguments))]

    def _count(self, usage: Mapping[str, Any]) -> None:
        """Later figures replace earlier ones: they are sums. What is read from or written to the cache was given in too."""
        cached = sum(usage.get(name) or 0 for name in ("cache_creation_input_tokens", "cache_read_input_tokens"))
        counted = {name: usage[name] for name in ("input_tokens", "output_tokens") if isinstance(usage.get(name), int)}
        if "input_tokens" in counted:
            counted["input_tokens"] += cached
        self.completion.usage = {**self.completion.usage, **counted}

    def _fault(self, error: dict[str, Any]) -> ProviderFault:
        return self._wire.fault(told(error), is_passing=error.get("type") in PASSING)

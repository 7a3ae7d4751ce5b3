"""How providers over HTTP are spoken to: JSON out, JSON or server-sent events back, faults told alike."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec import Struct

from rota.outgoing import Failed, Outgoing, Refused, Streamed, retry_after_s
from rota.providers.base import MOST_WORDS, ProviderFault
from rota.providers.events import Event, read_events

MOST_BYTES = 32 * 1024 * 1024
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})


class Wire(Struct, frozen=True, kw_only=True):
    """Where a provider is, by its settings.

    timeout_s    of one answer, all of it
    max_retries  further tries for what may pass
    first_wait_s before the first of them; each later one waits twice as long
    """

    name: str
    outgoing: Outgoing
    base_url: str
    api_key: str = ""
    timeout_s: float = 600.0
    max_retries: int = 4
    first_wait_s: float = 1.0

    async def ask_json(self, method: str, path: str, headers: Mapping[str, str], body: Any = None) -> Any:
        """A whole answer. Raises ProviderFault."""
        async with self._sent(method, path, headers, body) as answer:
            text = await answer.read(MOST_BYTES)
        return self.decode(text)

    @asynccontextmanager
    async def ask_events(self, path: str, headers: Mapping[str, str], body: Any) -> AsyncIterator[AsyncIterator[Event]]:
        """The events of a streamed answer. Raises ProviderFault, also while they are read."""
        async with self._sent("POST", path, {**headers, "accept": "text/event-stream"}, body) as answer:
            kind = answer.headers.get("content-type", "")
            if "text/event-stream" not in kind:
                raise self.fault(f"the answer is no stream but {kind[:100] or 'nothing named'}")
            yield read_events(answer.chunks(), MOST_BYTES)

    def fault(self, words: str, **more: Any) -> ProviderFault:
        return ProviderFault(f"{self.name}: {words[:MOST_WORDS]}", **more)

    def decode(self, text: bytes | str) -> Any:
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self.fault("what it says is not JSON", is_passing=True) from None

    @asynccontextmanager
    async def _sent(self, method: str, path: str, headers: Mapping[str, str], body: Any) -> AsyncIterator[Streamed]:
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise self.fault("a key is printable ASCII, without line breaks")
        sent = b"" if body is None else msgspec.json.encode(body)
        try:
            async with (
                asyncio.timeout(self.timeout_s),
                self.outgoing.stream(
                    method,
                    f"{self.base_url.rstrip('/')}{path}",
                    {"content-type": "application/json", **headers},
                    sent,
                    trusted=True,
                    idle_s=self.timeout_s,
                ) as answer,
            ):
                if not 200 <= answer.status < 300:
                    raise self._refusal(answer, await answer.read(64 * 1024))
                yield answer
        except TimeoutError:
            raise self.fault(f"no answer within {self.timeout_s:g} s", is_passing=True) from None
        except Failed as error:
            raise self.fault(str(error), is_passing=True) from None
        except Refused as error:
            raise self.fault(str(error)) from None

    def _refusal(self, answer: Streamed, body: bytes) -> ProviderFault:
        words = f"HTTP status {answer.status}{_reason(body)}"
        return self.fault(words, is_passing=answer.status in PASSING, retry_after_s=retry_after_s(answer.headers))


def told(error: Any) -> str:
    """What an error object says: its type and message."""
    if isinstance(error, dict):
        parts = [error.get("type"), error.get("message") or error.get("detail") or error.get("title")]
        return ": ".join(str(part) for part in parts if part) or "an error"
    return str(error)


def _reason(body: bytes) -> str:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    return f": {told(found.get('error') or found)}"

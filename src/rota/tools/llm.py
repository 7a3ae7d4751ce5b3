"""`llm.<provider>.complete`: a question to a language model, as a step."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from rota.providers import Asked, Provider, ProviderFault, Providers, Turn
from rota.tools.base import Call, Tool, ToolFault

PREFIX = "llm."
COMPLETE = ".complete"
TIMEOUT_S = 600.0

INPUT: dict[str, Any] = {
    "type": "object",
    "required": ["prompt"],
    "additionalProperties": False,
    "properties": {
        "prompt": {"type": "string"},
        "system": {"type": "string"},
        "model": {"type": "string", "minLength": 1},
        "temperature": {"type": "number", "minimum": 0},
        "max_tokens": {"type": "integer", "minimum": 1},
        "apikey": {"type": "string"},
    },
}
OUTPUT: dict[str, Any] = {
    "type": "object",
    "required": ["text", "json", "model", "stop", "usage"],
    "properties": {
        "text": {"type": "string"},
        "model": {"type": "string"},
        "usage": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
}


class LanguageModels:
    """The family `llm.`: one tool for each provider."""

    prefix = PREFIX

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    def find(self, name: str) -> Tool | None:
        provider = self._providers.find(name.removeprefix(PREFIX).removesuffix(COMPLETE))
        return _tool(provider) if provider is not None and name == f"{PREFIX}{provider.name}{COMPLETE}" else None

    async def list_tools(self) -> Sequence[Tool]:
        return [_tool(self._providers.get(name)) for name in self._providers.names]

    async def close(self) -> None:
        """There is nothing of its own to let go of."""


def _tool(provider: Provider) -> Tool:
    return Tool(
        name=f"{PREFIX}{provider.name}{COMPLETE}",
        description=f"Asks a language model of {provider.name}; `json` is its text read as JSON, null if it is none.",
        call=partial(_complete, provider),
        input_schema=INPUT,
        output_schema=OUTPUT,
        timeout_s=TIMEOUT_S,
    )


async def _complete(provider: Provider, call: Call) -> dict[str, Any]:
    given = call.arguments
    key, model = given.get("apikey", ""), given.get("model") or provider.model
    if model is None:
        raise ToolFault(f"{call.tool} needs a model: the settings name none for {provider.name}", "InputValidationError")
    asked = Asked(
        model=model,
        turns=[Turn(role="user", text=given["prompt"])],
        system=given.get("system", ""),
        temperature=given.get("temperature"),
        max_tokens=given.get("max_tokens", 1024),
        apikey=key,
        note=lambda text: call.note(_masked(text, provider, key)),
    )
    try:
        answer = await provider.complete(asked)
    except ProviderFault as fault:
        raise ToolFault(_masked(fault.message, provider, key)) from None
    return {"text": answer.text, "json": _json(answer.text), "model": model, "stop": answer.stop, "usage": answer.usage}


def _masked(text: str, provider: Provider, key: str) -> str:
    for secret in filter(None, (key, *provider.keys)):
        text = text.replace(secret, "[redacted]")
    return text


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None

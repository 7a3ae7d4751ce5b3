"""Replicate's predictions: asked for, then looked at until they are over."""

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any

from rota.providers.base import Asked, Completion, ProviderFault
from rota.providers.remote import Remote
from rota.providers.wire import Wire, told

BASE_URL = "https://api.replicate.com"
LOOK_S = 0.5
LONGEST_LOOK_S = 5.0
CANCEL_S = 5.0
# What may stand in a path; a model is named by a template.
MODEL = re.compile(r"([\w-][\w.-]*/)?[\w-][\w.-]*(:[\w-]+)?", re.ASCII)
ID = re.compile(r"[\w-]+", re.ASCII)
OVER = frozenset({"succeeded", "failed", "canceled", "aborted"})


class Replicate(Remote):
    """`look_s`: how long it waits before it first looks again; each further wait is half as long again."""

    def __init__(self, wire: Wire, model: str | None = None, *, look_s: float = LOOK_S) -> None:
        super().__init__(wire, model)
        self._look_s = look_s

    async def complete(self, asked: Asked) -> Completion:
        if asked.tools or len(asked.turns) != 1:
            raise self._wire.fault("its models know no tools")
        if not MODEL.fullmatch(asked.model):
            raise self._wire.fault("a model is owner/name, owner/name:version, or a version")
        wire = self._wire
        headers = {"authorization": f"Bearer {asked.apikey or wire.api_key}"}
        prediction = await self._patiently(asked, lambda: self._begin(asked, headers))
        try:
            async with asyncio.timeout(wire.timeout_s):
                return await self._follow(asked, headers, prediction)
        except TimeoutError:
            await self._cancel(headers, prediction)
            raise wire.fault(f"no answer within {wire.timeout_s:g} s", is_passing=True) from None
        except asyncio.CancelledError:
            await self._cancel(headers, prediction)
            raise

    async def _begin(self, asked: Asked, headers: Mapping[str, str]) -> dict[str, Any]:
        """The prediction. Only this is tried again as a whole: from here on it is paid for."""
        path, body = request_of(asked)
        return self._checked(await self._wire.ask_json("POST", path, headers, body))

    async def _follow(self, asked: Asked, headers: Mapping[str, str], prediction: dict[str, Any]) -> Completion:
        told_so_far, wait_s = "", self._look_s
        while True:
            text = _text(prediction.get("output"))
            if len(text) > len(told_so_far) and text.startswith(told_so_far):
                asked.on_text(text[len(told_so_far) :])
                told_so_far = text
            if prediction["status"] in OVER:
                return self._judge(prediction, text)
            await asyncio.sleep(wait_s)
            wait_s = min(LONGEST_LOOK_S, wait_s * 1.5)
            prediction = await self._look(asked, headers, prediction["id"])

    async def _look(self, asked: Asked, headers: Mapping[str, str], prediction_id: str) -> dict[str, Any]:
        wire = self._wire

        async def look() -> dict[str, Any]:
            return self._checked(await wire.ask_json("GET", _path(prediction_id), headers))

        return await self._patiently(asked, look)

    def _checked(self, prediction: Any) -> dict[str, Any]:
        if not isinstance(prediction, dict) or not ID.fullmatch(str(prediction.get("id"))) or not prediction.get("status"):
            raise self._wire.fault("the answer is no prediction", is_passing=True)
        return prediction

    def _judge(self, prediction: dict[str, Any], text: str) -> Completion:
        if prediction["status"] != "succeeded":
            raise self._wire.fault(f"{prediction['status']}: {told(prediction.get('error') or 'no reason given')}")
        metrics = prediction.get("metrics") or {}
        counted = {"input_tokens": metrics.get("input_token_count"), "output_tokens": metrics.get("output_token_count")}
        usage = {name: count for name, count in counted.items() if isinstance(count, int)}
        return Completion(text=text, usage=usage, stop="succeeded")

    async def _cancel(self, headers: Mapping[str, str], prediction: dict[str, Any]) -> None:
        """So that it is not paid for to its end; nobody waits long for that."""
        with contextlib.suppress(ProviderFault, TimeoutError):
            async with asyncio.timeout(CANCEL_S):
                await self._wire.ask_json("POST", f"{_path(prediction['id'])}/cancel", headers)


def request_of(asked: Asked) -> tuple[str, dict[str, Any]]:
    """Where to, and what: `owner/name` is a model of theirs, `owner/name:version` or a bare version one of anybody's."""
    given = {
        "prompt": asked.turns[0].text,
        "system_prompt": asked.system or None,
        "temperature": asked.temperature,
        "max_tokens": asked.max_tokens,
    }
    sent = {name: value for name, value in given.items() if value is not None}
    name, _, version = asked.model.partition(":")
    if "/" in name and not version:
        return f"/v1/models/{name}/predictions", {"input": sent}
    return "/v1/predictions", {"version": version or name, "input": sent}


def _path(prediction_id: str) -> str:
    return f"/v1/predictions/{prediction_id}"


def _text(output: Any) -> str:
    """Models of text answer in pieces, or as a whole."""
    match output:
        case None:
            return ""
        case str():
            return output
        case list():
            return "".join(_text(piece) for piece in output)
        case _:
            return json.dumps(output, ensure_ascii=False)

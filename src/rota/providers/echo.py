"""`echo`: says what it is asked. For tests and for work without a network (NLA §7.1, §12)."""

import asyncio
import re
from collections.abc import Sequence

from rota.providers.base import Asked, Completion, ProviderFault

_DELAY = re.compile(r"delay:(\d{1,6}(?:\.\d{1,6})?)")


class Echo:
    """The model `delay:<seconds>` takes so long; the key `fail` is refused."""

    def __init__(self, name: str = "echo", model: str | None = None) -> None:
        self.name = name
        self.model = model
        self.keys: Sequence[str] = ()

    async def complete(self, asked: Asked) -> Completion:
        delay = _DELAY.fullmatch(asked.model)
        if delay:
            await asyncio.sleep(float(delay[1]))
        if asked.apikey == "fail":
            raise ProviderFault(f"{self.name}: the key is refused")
        text = asked.turns[-1].text
        asked.on_text(text)
        words = {"input_tokens": len(f"{asked.system} {text}".split()), "output_tokens": len(text.split())}
        return Completion(text=text, usage=words, stop="end_turn")

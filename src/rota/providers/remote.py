"""What all providers that are asked over HTTP have in common."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from rota.providers.base import Asked
from rota.providers.patience import patiently
from rota.providers.wire import Wire

T = TypeVar("T")


class Remote:
    """`keys`: of the settings, to be masked wherever they might show."""

    def __init__(self, wire: Wire, model: str | None = None) -> None:
        self.name = wire.name
        self.model = model
        self.keys: Sequence[str] = [wire.api_key] if wire.api_key else []
        self._wire = wire

    async def _patiently(self, asked: Asked, attempt: Callable[[], Awaitable[T]]) -> T:
        """What the attempt answers, tried again as the settings say."""
        return await patiently(asked, attempt, self._wire.max_retries, first_wait_s=self._wire.first_wait_s)

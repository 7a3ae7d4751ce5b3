"""A context for calling a module's function as the worker would, with the lines it says."""

from typing import Any

from rota.core.entry import Level
from rota.modules import Context


class Told:
    """The server's end."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self.lines: list[tuple[Level, str, int | None]] = []
        self.percents: list[int] = []
        self.state = state or {}

    def say(self, level: Level, message: str, percent: int | None) -> None:
        self.lines.append((level, message, percent))

    def progress(self, percent: int) -> None:
        self.percents.append(percent)

    def get_state(self) -> dict[str, Any]:
        return self.state

    def keep(self, state: dict[str, Any]) -> None:
        self.state = state

    @property
    def messages(self) -> list[str]:
        return [message for _, message, _ in self.lines]


def context(told: Told | None = None, **given: Any) -> Context:
    return Context(told or Told(), run_id="r1", key="k1", given=given)

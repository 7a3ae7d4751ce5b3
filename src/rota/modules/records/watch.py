"""Whom work on records tells how far it is, and who may end it."""

from typing import Protocol

from rota.core.entry import Level


class Watch(Protocol):
    """Asked between two transactions, never within one."""

    def log(self, level: Level, message: str, percent: int | None = None) -> None:
        """A line of the run's log."""

    def is_cancelled(self) -> bool:
        """Whether to stop before the next batch."""

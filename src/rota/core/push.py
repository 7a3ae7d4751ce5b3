"""Notices to the devices of a task's creator: of what, in which words, how often, and by which way."""

from datetime import timedelta
from typing import Literal

from msgspec import Struct

from rota.core.run import Run
from rota.core.states import FAILURES, STOPS, SUCCESSES

Kind = Literal["completed", "failed", "cancelled", "awaiting_input", "turn_completed"]
Platform = Literal["ios", "android", "web"]
Way = Literal["device_log", "device_hook", "expo", "webpush"]

SAID: dict[Kind, str] = {
    "completed": "finished",
    "failed": "failed",
    "cancelled": "was cancelled",
    "awaiting_input": "needs your input",
    "turn_completed": "needs your input",
}
# How long nobody is told of the like of the same run again.
COOLDOWN: dict[Kind, timedelta] = {
    "completed": timedelta(minutes=10),
    "failed": timedelta(minutes=10),
    "cancelled": timedelta(minutes=10),
    "awaiting_input": timedelta(seconds=30),
    "turn_completed": timedelta(seconds=30),
}
UNTITLED = "Untitled task"


class PushRules(Struct, frozen=True, kw_only=True):
    """By which way devices are told.

    way    of every device; None for none of them
    web    of browsers, where that is another one
    label  title of the notices
    """

    way: Way | None = None
    web: Way | None = None
    label: str = "Rota"

    def way_to(self, platform: Platform) -> Way | None:
        if platform == "web" and self.web is not None:
            return self.web
        return None if self.way == "webpush" else self.way


class Happening(Struct, frozen=True):
    """Something about a run that the creator of its task is to hear."""

    run_id: str
    task_id: str
    kind: Kind


def happening_of(run: Run) -> Happening | None:
    """What the end of a run is to its task's creator; None for one that goes on, or never started and was refused."""
    for states, kind in _ENDS:
        if run.state in states:
            return Happening(run.id, run.task_id, kind)
    return None


def body_of(title: str, kind: Kind) -> str:
    return f'"{title.strip() or UNTITLED}" {SAID[kind]}'


_ENDS: tuple[tuple[frozenset[str], Kind], ...] = (
    (frozenset(SUCCESSES), "completed"),
    (frozenset(FAILURES), "failed"),
    (frozenset(STOPS), "cancelled"),
)

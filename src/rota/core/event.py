"""Facts on topics, and who may be started by them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from rota.core.states import ENDED, Reason, State

MAX_DEPTH = 16


class Event(Struct, frozen=True, kw_only=True):
    """A fact. `cause_run_id` and `depth` tell which run published it and how long the chain of causes is."""

    id: str
    topic: str
    payload: dict[str, Any]
    at: datetime
    actor_id: str | None = None
    cause_run_id: str | None = None
    depth: int = 0


def refusal(task_id: str, depth: int, ancestor_task_ids: Sequence[str]) -> Reason | None:
    """Why a task may not be started by an event, or None.

    ancestor_task_ids  the tasks of the run that caused the event, of the run that caused that one, and so on
    """
    if task_id in ancestor_task_ids:
        return "event_loop"
    if depth > MAX_DEPTH:
        return "event_depth"
    return None


def end_topics(state: State, task_name: str) -> tuple[str, str]:
    """The topics a run's end is published on: one for every task, one for this task alone."""
    return (f"run.{state}", f"run.{state}.{task_name}")


def is_end_topic(topic: str) -> bool:
    """Whether ends of runs are told on it: then nobody else may say there what has not happened."""
    first, _, rest = topic.partition(".")
    return first == "run" and rest.partition(".")[0] in ENDED

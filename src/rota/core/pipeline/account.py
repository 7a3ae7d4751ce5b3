"""What steps see of their run, and what is told of it in the end (Ordinaut §5.2, §5.5)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from rota.core.pipeline.language import Step, step_id
from rota.core.run import Run
from rota.core.task import Task


class Checkpoint(Struct, frozen=True, kw_only=True):
    """A step that is over and is not done again: by its place in the pipeline, from 0, and its id. `output` is any JSON.

    usage  tokens that models took for it: input_tokens, output_tokens
    """

    position: int
    name: str
    status: Literal["done", "skipped"]
    ended_at: datetime
    output: Any = None
    usage: dict[str, int] = {}


class Fault(Struct, frozen=True, kw_only=True):
    """Why an attempt ended before its last step. `position` is that of the step it ended at."""

    position: int
    name: str
    error: str
    error_type: str


def total_usage(steps: Sequence[Checkpoint]) -> dict[str, int]:
    """The tokens of all of them."""
    names = dict.fromkeys(name for step in steps for name in step.usage)
    return {name: sum(step.usage.get(name, 0) for step in steps) for name in names}


def context_of(task: Task, run: Run, params: dict[str, Any], began_at: datetime) -> dict[str, Any]:
    """What templates and conditions see before the first step. `params` are the pipeline's own defaults."""
    given = dict(run.params)
    event = given.pop("event", None) if run.trigger == "event" else None
    now = began_at.isoformat()
    context = {
        "now": now,
        "params": {**params, **given},
        "steps": {},
        "_task_id": task.id,
        "_task_title": task.spec.title or task.name,
        "_execution_start": now,
    }
    return context if event is None else {**context, "event": _event(event)}


def account(
    context: dict[str, Any], steps: Sequence[Step], done: Sequence[Checkpoint], duration_s: float, fault: Fault | None = None
) -> dict[str, Any]:
    """The output of a run: its context, and a summary. That of a failed one has what there was until then."""
    summary: dict[str, Any] = {
        "success": fault is None,
        "total_steps": len(steps),
        "executed_steps": sum(each.status == "done" for each in done),
        "skipped_steps": sum(each.status == "skipped" for each in done),
        "execution_time_seconds": round(duration_s, 3),
    }
    if fault is None:
        return {**context, "_execution_summary": summary}
    told = {
        "failed_step_index": fault.position,
        "failed_step_id": fault.name,
        "error": fault.error,
        "error_type": fault.error_type,
    }
    return {**context, "success": False, **told, "_execution_summary": {**summary, **told}}


def find_change(steps: Sequence[Step], done: Sequence[Checkpoint]) -> str | None:
    """Why the finished steps are not those of this pipeline: it was changed under its run."""
    names = [step_id(step, index) for index, step in enumerate(steps)]
    for index, each in enumerate(done):
        if each.position != index or index >= len(names) or names[index] != each.name:
            return f"step {each.position} was {each.name} when this run did it; the pipeline was changed since"
    return None


def _event(fact: Any) -> dict[str, Any]:
    known = fact if isinstance(fact, dict) else {"payload": fact}
    return {
        "topic": known.get("topic"),
        "payload": known.get("payload"),
        "event_id": known.get("id"),
        "source_agent_id": known.get("actor_id"),
        "published_at": known.get("at"),
    }

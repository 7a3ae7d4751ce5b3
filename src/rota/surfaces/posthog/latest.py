"""The latest runs of tasks, all of a page at once."""

from collections.abc import Sequence
from typing import Any

from rota.core.run import Run
from rota.core.states import FAILURES, REFUSED, STOPS, SUCCESSES
from rota.http.routes import Ask
from rota.store.projectlist import Shown
from rota.surfaces.posthog import wire
from rota.surfaces.posthog.moments import stamp, stamp_or_none


async def list_runs(ask: Ask, shown: Sequence[Shown]) -> dict[str, Any]:
    """By task, as runs are written here."""
    return {each.task.id: _run(each.latest) for each in shown if each.latest is not None}


async def list_statuses(ask: Ask, shown: Sequence[Shown]) -> dict[str, wire.LatestStatus]:
    """By task, what a summary tells."""
    runs = await list_runs(ask, shown)
    return {task_id: wire.LatestStatus(status=run["status"], environment=run["environment"]) for task_id, run in runs.items()}


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "task": run.task_id,
        "stage": None,
        "branch": None,
        "status": _status(run),
        "environment": "cloud",
        "error_message": run.error,
        "output": run.output,
        "state": {"mode": "background"},
        "artifacts": [],
        "created_at": stamp(run.created_at),
        "updated_at": stamp(run.ended_at or run.started_at or run.created_at),
        "completed_at": stamp_or_none(run.ended_at),
    }


def _status(run: Run) -> str:
    if run.state in SUCCESSES:
        return "completed"
    if run.state in STOPS or run.state == "skipped":
        return "cancelled"
    if run.state in FAILURES | REFUSED:
        return "failed"
    return "in_progress" if run.state == "running" else "queued"

"""The latest runs of tasks, all of a page at once."""

from collections.abc import Sequence
from typing import Any

from rota.core.projectrun import ProjectRun
from rota.http.routes import Ask
from rota.store.projectlist import Shown
from rota.surfaces.posthog import wire
from rota.surfaces.posthog.moments import stamp, stamp_or_none


async def list_runs(_ask: Ask, shown: Sequence[Shown]) -> dict[str, Any]:
    """By task, as runs are written here."""
    return {each.task.id: _run(each.latest) for each in shown if each.latest is not None}


def list_statuses(shown: Sequence[Shown]) -> dict[str, wire.LatestStatus]:
    """By task, what a summary tells."""
    return {
        each.task.id: wire.LatestStatus(status=each.latest.status, environment=each.latest.environment)
        for each in shown
        if each.latest is not None
    }


def _run(run: ProjectRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "task": run.run.task_id,
        "stage": run.stage,
        "branch": run.branch,
        "status": run.status,
        "environment": run.environment,
        "error_message": run.error,
        "output": run.output,
        "state": run.state,
        "artifacts": [],
        "created_at": stamp(run.run.created_at),
        "updated_at": stamp(run.updated_at),
        "completed_at": stamp_or_none(run.run.ended_at),
    }

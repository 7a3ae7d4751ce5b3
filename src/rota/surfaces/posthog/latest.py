"""The latest runs of tasks, all of a page at once."""

from collections.abc import Sequence

from rota.http.routes import Ask
from rota.store.projectlist import Shown
from rota.surfaces.posthog import runwire, wire


async def list_runs(ask: Ask, shown: Sequence[Shown]) -> dict[str, runwire.TaskRun]:
    """By task, as runs are written here."""
    found = await runwire.runs_wire(ask, [each.latest for each in shown if each.latest is not None])
    return {run.task: run for run in found}


def list_statuses(shown: Sequence[Shown]) -> dict[str, wire.LatestStatus]:
    """By task, what a summary tells."""
    return {
        each.task.id: wire.LatestStatus(status=each.latest.status, environment=each.latest.environment)
        for each in shown
        if each.latest is not None
    }

"""Runs of projects: what stands beside each, and the newest of each task."""

from typing import Any

from msgspec.structs import replace
from tests.factories import NOON, at
from tests.store.storing import add_ended, add_run, add_running, add_task

from rota.core.projectrun import ProjectRun
from rota.core.run import Run
from rota.store import admission, projectruns
from rota.store.connection import Connection

STATUS = f"""
    SELECT {projectruns.SHOWN_STATUS} FROM runs LEFT JOIN project_runs ON project_runs.run_id = runs.id WHERE runs.id = ?"""


def told(c: Connection, run: Run, **fields: Any) -> ProjectRun:
    made = ProjectRun(run=run, **{"environment": "cloud", "told_state": {}, "told_at": NOON, **fields})
    projectruns.put_project_run(c, made)
    return made


def status(c: Connection, run: Run) -> str:
    """As queries see it, which is as it is shown."""
    found = projectruns.find_project_run(c, run.task_id, run.id)
    row = c.row(STATUS, (run.id,))
    assert found is not None
    assert row is not None
    assert row[0] == found.status
    return found.status


def test_what_was_told_comes_back_and_changes(c: Connection) -> None:
    run = add_run(c, add_task(c))
    first = told(c, run, stage="plan", branch="b", told_error="e", told_output={"n": 1}, told_state={"a": [1]}, resumes_id=run.id)
    assert projectruns.find_project_run(c, run.task_id, run.id, for_update=True) == first
    later = replace(first, stage=None, told_output=None, told_at=at(1), environment="local")
    projectruns.put_project_run(c, later)
    assert projectruns.get_project_runs(c, [run.id]) == {run.id: later}
    assert projectruns.find_project_run(c, add_task(c).id, run.id) is None


def test_a_status_that_was_told_is_good_until_the_run_is_claimed_or_ends(c: Connection) -> None:
    task = add_task(c)
    run, running, over, untold = add_run(c, task), add_running(c, task), add_ended(c, task), add_run(c, task)
    told(c, run, told_status="not_started")
    told(c, running, told_status="queued")
    told(c, over, told_status="queued")
    assert [status(c, each) for each in (run, running, over, untold)] == ["not_started", "queued", "completed", "queued"]
    admission.claim_direct(c, [run.id], "node", NOON)
    assert status(c, run) == "in_progress"


def test_runs_are_paged_from_the_newest_with_those_of_other_doors(c: Connection) -> None:
    task = add_task(c)
    first, second, third = (add_run(c, task) for _ in range(3))
    told(c, second, stage="s")
    page = projectruns.page_project_runs(c, task.id, 2, 1)
    assert ([run.id for run in page.items], page.total) == ([second.id, first.id], 3)
    assert projectruns.list_latest_runs(c, [task.id, add_task(c).id])[task.id].id == third.id

"""Runs of projects: what stands beside each of these runs."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from rota.core.projectrun import OF_STATE, Environment, ProjectRun, Status
from rota.core.run import Run
from rota.store import runs
from rota.store.connection import Connection, Row
from rota.store.documents import from_text, to_text, to_text_or_none
from rota.store.moments import from_us, to_us

_WORDS = " ".join(f"WHEN '{state}' THEN '{status}'" for state, status in OF_STATE.items())
# The status of a run, for conditions of queries that join runs and project_runs under their own names.
SHOWN_STATUS = f"""
    CASE WHEN runs.ended_at IS NULL AND project_runs.status IS NOT NULL AND project_runs.status_fence = runs.fence
        THEN project_runs.status ELSE CASE runs.state {_WORDS} END END"""
TOLD = ("environment", "status", "status_fence", "stage", "branch", "error", "output", "state", "updated_at")
PUT = f"""
    INSERT INTO project_runs (run_id, task_id, resumes_id, {", ".join(TOLD)}) VALUES ({", ".join("?" * (len(TOLD) + 3))})
    ON CONFLICT (run_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in TOLD)}"""
COLUMNS = f"run_id, resumes_id, {', '.join(TOLD)}"
GET = f"SELECT {COLUMNS} FROM project_runs WHERE run_id IN ({{values}})"
PAGE = "SELECT id FROM runs WHERE task_id = ? AND deleted_at IS NULL ORDER BY id DESC LIMIT ? OFFSET ?"
COUNT = "SELECT COUNT(*) FROM runs WHERE task_id = ? AND deleted_at IS NULL"
LATEST = """
    WITH given (id) AS ({values})
    SELECT (SELECT r.id FROM runs AS r WHERE r.task_id = given.id AND r.deleted_at IS NULL ORDER BY r.id DESC LIMIT 1)
    FROM given"""
# Of those that count against a project's share: few, for they are live.
LIVE = """
    SELECT COUNT(*) FROM runs JOIN project_tasks ON project_tasks.task_id = runs.task_id
    WHERE runs.state IN ('pending', 'running') AND project_tasks.project_id = ?"""
LOCK: dict[str, str] = {"sqlite": "", "postgres": " FOR UPDATE"}


class Page(Struct, frozen=True):
    """A part of a list, and how long that is."""

    items: list[ProjectRun]
    total: int


def put_project_run(c: Connection, run: ProjectRun) -> None:
    """Write all that was told of a run. What the engine knows is not written here."""
    c.run(PUT, (run.run.id, run.run.task_id, run.resumes_id, *_told(run)))


def find_project_run(c: Connection, task_id: str, run_id: str, *, for_update: bool = False) -> ProjectRun | None:
    """A run of that task. With `for_update` nobody else changes it until the transaction is over."""
    if for_update and LOCK[c.dialect]:
        c.row(f"SELECT id FROM runs WHERE id = ?{LOCK[c.dialect]}", (run_id,))
    run = runs.find_shown_run(c, run_id)
    return _with_told(c, [run])[0] if run is not None and run.task_id == task_id else None


def get_project_runs(c: Connection, run_ids: Iterable[str]) -> dict[str, ProjectRun]:
    """Those of the runs that there are, by id: two queries, however many."""
    return {found.id: found for found in _with_told(c, runs.get_runs(c, set(run_ids)))}


def count_live(c: Connection, project_id: int) -> int:
    """Runs of a project that have not ended."""
    return int(c.rows(LIVE, (project_id,))[0][0])


def page_project_runs(c: Connection, task_id: str, limit: int, offset: int) -> Page:
    """Newest first."""
    ids = [row[0] for row in c.rows(PAGE, (task_id, limit, offset))]
    found = get_project_runs(c, ids)
    return Page([found[run_id] for run_id in ids], int(c.rows(COUNT, (task_id,))[0][0]))


def list_latest_runs(c: Connection, task_ids: Iterable[str]) -> dict[str, ProjectRun]:
    """The newest run of each task, by task; a task without runs is left out. Three queries, however many tasks."""
    ids = [row[0] for row in c.batch(LATEST, "text", [(task_id,) for task_id in set(task_ids)]) if row[0]]
    return {found.run.task_id: found for found in get_project_runs(c, ids).values()}


def _told(run: ProjectRun) -> tuple[object, ...]:
    return (
        run.environment,
        run.told_status,
        run.run.fence,
        run.stage,
        run.branch,
        run.told_error,
        to_text_or_none(run.told_output),
        to_text(run.told_state),
        to_us(run.told_at),
    )


def _with_told(c: Connection, found: Sequence[Run]) -> list[ProjectRun]:
    rows = {row[0]: row for row in c.batch(GET, "text", [(run.id,) for run in found])}
    return [_of(run, rows[run.id]) if run.id in rows else _untold(run) for run in found]


def _untold(run: Run) -> ProjectRun:
    """One that was not started through a project: by a schedule, or another API."""
    return ProjectRun(run=run, environment="cloud", told_state={}, told_at=run.created_at)


def _of(run: Run, row: Row) -> ProjectRun:
    _, resumes_id, environment, status, fence, stage, branch, error, output, state, updated_at = row
    kind: Environment = environment
    told: Status | None = status if fence == run.fence else None
    result: Any = from_text(output)
    return ProjectRun(
        run=run,
        environment=kind,
        told_state=from_text(state),
        told_at=from_us(updated_at),
        told_status=told,
        told_error=error,
        told_output=result,
        stage=stage,
        branch=branch,
        resumes_id=resumes_id,
    )

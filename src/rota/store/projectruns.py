"""Runs of projects: what stands beside each of these runs."""

from collections.abc import Iterable
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
INSERT = f"INSERT INTO project_runs (run_id, task_id, resumes_id, {', '.join(TOLD)}) VALUES ({', '.join('?' * (len(TOLD) + 3))})"
UPDATE = f"UPDATE project_runs SET {', '.join(f'{name} = ?' for name in TOLD)} WHERE run_id = ?"
COLUMNS = f"run_id, resumes_id, {', '.join(TOLD)}"
GET = f"SELECT {COLUMNS} FROM project_runs WHERE run_id IN ({{values}})"
PAGE = "SELECT run_id FROM project_runs WHERE task_id = ? ORDER BY run_id DESC LIMIT ? OFFSET ?"
COUNT = "SELECT COUNT(*) FROM project_runs WHERE task_id = ?"
LATEST = """
    WITH given (id) AS ({values})
    SELECT (SELECT MAX(run_id) FROM project_runs WHERE project_runs.task_id = given.id) FROM given"""
LOCK: dict[str, str] = {"sqlite": "", "postgres": " FOR UPDATE"}


class Page(Struct, frozen=True):
    """A part of a list, and how long that is."""

    items: list[ProjectRun]
    total: int


def insert_project_run(c: Connection, new: ProjectRun) -> None:
    """In the transaction that inserts the run itself."""
    c.run(INSERT, (new.run.id, new.run.task_id, new.resumes_id, *_told(new)))


def update_project_run(c: Connection, changed: ProjectRun) -> None:
    """All that can be told of it. What the engine knows is not written here."""
    c.run(UPDATE, (*_told(changed), changed.run.id))


def find_project_run(c: Connection, task_id: str, run_id: str, *, for_update: bool = False) -> ProjectRun | None:
    """A run of that task. With `for_update` nobody else changes it until the transaction is over."""
    if for_update and LOCK[c.dialect]:
        c.row(f"SELECT run_id FROM project_runs WHERE run_id = ?{LOCK[c.dialect]}", (run_id,))
    found = get_project_runs(c, [run_id]).get(run_id)
    return found if found is not None and found.run.task_id == task_id else None


def get_project_runs(c: Connection, run_ids: Iterable[str]) -> dict[str, ProjectRun]:
    """Those of the runs that are of projects, by id: two queries, however many."""
    rows = c.batch(GET, "text", [(run_id,) for run_id in set(run_ids)])
    engines = {run.id: run for run in runs.get_runs(c, [row[0] for row in rows])}
    return {row[0]: _from_row(row, engines[row[0]]) for row in rows}


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


def _from_row(row: Row, run: Run) -> ProjectRun:
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

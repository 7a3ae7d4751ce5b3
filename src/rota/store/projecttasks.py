"""Tasks of projects: what stands beside each of these tasks, one by one. Lists of them are in `projectlist`."""

from collections.abc import Iterable
from datetime import datetime

from rota.core.projecttask import ProjectTask, fold
from rota.store.connection import Connection, Row
from rota.store.documents import from_text, to_text_or_none
from rota.store.moments import from_us, from_us_or_none, to_us, to_us_or_none

WRITTEN = (
    "title", "title_manually_set", "description", "folded", "repository", "github_integration", "github_user_integration",
    "json_schema", "internal", "archived", "archived_at", "ci_prompt", "updated_at",
)  # fmt: skip
FIXED = ("task_id", "project_id", "number", "created_by", "origin_product", "signal_report")
INSERT = f"INSERT INTO project_tasks ({', '.join(FIXED + WRITTEN)}) VALUES ({', '.join('?' * len(FIXED + WRITTEN))})"
UPDATE = f"UPDATE project_tasks SET {', '.join(f'{name} = ?' for name in WRITTEN)} WHERE task_id = ?"
DELETE = "UPDATE project_tasks SET deleted_at = ? WHERE task_id = ? AND deleted_at IS NULL"
LINK = "INSERT INTO report_links (task_id, report_id, relationship) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
COLUMNS = (
    "t.task_id, t.project_id, t.number, t.created_by, t.origin_product, t.signal_report, t.title, t.title_manually_set, "
    "t.description, t.repository, t.github_integration, t.github_user_integration, t.json_schema, t.internal, t.archived_at, "
    "t.ci_prompt, t.updated_at, tasks.created_at"
)
_SHOWN = f"SELECT {COLUMNS} FROM project_tasks AS t JOIN tasks ON tasks.id = t.task_id"
FIND = f"{_SHOWN} WHERE t.task_id = ? AND t.deleted_at IS NULL"
GET = f"{_SHOWN} WHERE t.task_id IN ({{values}}) AND t.deleted_at IS NULL"
# Ends what a search could join across title and description.
BETWEEN = "\x1f"


def insert_project_task(c: Connection, task: ProjectTask) -> None:
    """In the transaction that inserts the task itself."""
    fixed = (task.id, task.project_id, task.number, task.created_by, task.origin_product, task.signal_report)
    c.run(INSERT, (*fixed, *_written(task)))


def update_project_task(c: Connection, task: ProjectTask) -> None:
    """All that can change of it. Project, number, creator, origin and report never do."""
    c.run(UPDATE, (*_written(task), task.id))


def mark_deleted(c: Connection, task_id: str, at: datetime) -> bool:
    """Whether it was a task of a project, and not deleted before."""
    return c.run(DELETE, (to_us(at), task_id)) == 1


def find_project_task(c: Connection, task_id: str) -> ProjectTask | None:
    """None also for a deleted one."""
    row = c.row(FIND, (task_id,))
    return None if row is None else _task(row)


def get_project_tasks(c: Connection, task_ids: Iterable[str]) -> dict[str, ProjectTask]:
    """Those of the tasks that are of projects and not deleted, by id."""
    return {row[0]: _task(row) for row in c.batch(GET, "text", [(task_id,) for task_id in set(task_ids)])}


def link_report(c: Connection, task_id: str, report_id: str, relationship: str) -> None:
    """Note which report a task was made for, and how it stands to it."""
    c.run(LINK, (task_id, report_id, relationship))


def _written(task: ProjectTask) -> tuple[object, ...]:
    return (
        task.title,
        int(task.title_manually_set),
        task.description,
        fold(f"{task.title}{BETWEEN}{task.description}"),
        task.repository,
        task.github_integration,
        task.github_user_integration,
        to_text_or_none(task.json_schema),
        int(task.internal),
        int(task.archived_at is not None),
        to_us_or_none(task.archived_at),
        task.ci_prompt,
        to_us(task.updated_at),
    )


def _task(row: Row) -> ProjectTask:
    (
        task_id, project_id, number, created_by, origin_product, signal_report, title, title_manually_set,
        description, repository, github_integration, github_user_integration, json_schema, internal, archived_at,
        ci_prompt, updated_at, created_at,
    ) = row  # fmt: skip
    return ProjectTask(
        id=task_id,
        project_id=project_id,
        number=number,
        created_by=created_by,
        origin_product=origin_product,
        signal_report=signal_report,
        title=title,
        title_manually_set=bool(title_manually_set),
        description=description,
        repository=repository,
        github_integration=github_integration,
        github_user_integration=github_user_integration,
        json_schema=from_text(json_schema),
        internal=bool(internal),
        archived_at=from_us_or_none(archived_at),
        ci_prompt=ci_prompt,
        updated_at=from_us(updated_at),
        created_at=from_us(created_at),
    )

"""Lists of the tasks of a project: what is asked for becomes one condition, and a page takes as many queries however long the
list is."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from rota.core.projectrun import OF_STATE, TERMINAL, ProjectRun, Status
from rota.core.projecttask import SHARED, ProjectTask, fold
from rota.store import users
from rota.store.connection import Connection
from rota.store.projectruns import SHOWN_STATUS, list_latest_runs
from rota.store.projecttasks import get_project_tasks
from rota.store.users import User


def _listed(words: Iterable[str]) -> str:
    """Our own words, as SQL has them in a list."""
    return "(" + ", ".join(f"'{word}'" for word in sorted(words)) + ")"


_LATEST = "WHERE runs.task_id = t.task_id AND runs.deleted_at IS NULL ORDER BY runs.id DESC LIMIT 1"
# Whatever was told of a run, its end counts.
LATEST_ENDED = f"(SELECT runs.state FROM runs {_LATEST}) IN {{states}}"
# Tasks with a live run are few, and found by an index; of those alone the latest run is looked at.
LATEST_LIVE = f"""
    t.task_id IN (SELECT task_id FROM runs WHERE state = 'running' UNION ALL SELECT task_id FROM runs WHERE state = 'pending')
    AND (SELECT {SHOWN_STATUS} FROM runs LEFT JOIN project_runs ON project_runs.run_id = runs.id {_LATEST}) = ?"""
HAS_STAGE = "EXISTS (SELECT 1 FROM project_runs AS p WHERE p.task_id = t.task_id AND p.stage = ? AND p.stage IS NOT NULL)"
VISIBLE = f"(t.created_by = ? OR t.created_by IS NULL OR t.origin_product IN {_listed(SHARED)})"
REPOSITORIES = f"""
    SELECT DISTINCT t.repository FROM project_tasks AS t
    WHERE t.project_id = ? AND t.deleted_at IS NULL AND t.internal = 0 AND t.repository <> '' AND {VISIBLE}"""
SEEN = f"""
    SELECT t.task_id FROM project_tasks AS t
    WHERE t.task_id IN ({{values}}) AND t.project_id = ? AND t.deleted_at IS NULL AND {VISIBLE}"""
# Finds a text in another one.
FINDS = {"sqlite": "instr", "postgres": "strpos"}


class Wanted(Struct, frozen=True, kw_only=True):
    """Which tasks of a project (contract §7); everything that is given narrows.

    viewer_id   whose eyes it is seen with
    archived    None: archived ones as well
    internal    those that are left out otherwise, and no others
    created_by  number of a user
    status      of the latest run
    stage       of any run
    """

    project_id: int
    viewer_id: str
    archived: bool | None = False
    internal: bool = False
    created_by: int | None = None
    organization: str | None = None
    repository: str | None = None
    origin_product: str | None = None
    stage: str | None = None
    status: Status | None = None
    search: str = ""


class Shown(NamedTuple):
    """A task with what is shown beside it."""

    task: ProjectTask
    creator: User | None
    latest: ProjectRun | None


class ProjectPage(NamedTuple):
    """A part of a list, and how long that is."""

    items: list[Shown]
    total: int


def page_tasks(c: Connection, wanted: Wanted, limit: int, offset: int) -> ProjectPage:
    """Newest first; ids rise with time, so that their order is that of creation."""
    where, values = _where(c, wanted)
    total = c.row(f"SELECT COUNT(*) {where}", values)
    ids = [
        row[0] for row in c.rows(f"SELECT t.task_id {where} ORDER BY t.task_id DESC LIMIT ? OFFSET ?", (*values, limit, offset))
    ]
    return ProjectPage(show_tasks(c, ids), total[0] if total else 0)


def page_given(c: Connection, project_id: int, viewer_id: str, task_ids: Sequence[str], limit: int, offset: int) -> ProjectPage:
    """Those of the tasks that are seen in the project, newest first, archived and internal ones included. Only those of the page
    are read: thousands may be asked for, and each may be long."""
    rows = c.batch(SEEN, "text", [(task_id,) for task_id in set(task_ids)], (project_id, viewer_id))
    seen = sorted((row[0] for row in rows), reverse=True)
    return ProjectPage(show_tasks(c, seen[offset : offset + limit]), len(seen))


def show_tasks(c: Connection, task_ids: Sequence[str]) -> list[Shown]:
    """Those of the tasks that there are, in the order given, each with its creator and its latest run."""
    found = get_project_tasks(c, task_ids)
    creators = users.get_users(c, {task.created_by for task in found.values() if task.created_by})
    latest = list_latest_runs(c, found)
    return [
        Shown(task, creators.get(task.created_by or ""), latest.get(task_id))
        for task_id in task_ids
        if (task := found.get(task_id)) is not None
    ]


def list_repositories(c: Connection, project_id: int, viewer_id: str) -> list[str]:
    """Those of the tasks that are seen and not internal, each once, sorted."""
    return sorted(row[0] for row in c.rows(REPOSITORIES, (project_id, viewer_id)))


def _where(c: Connection, wanted: Wanted) -> tuple[str, tuple[Any, ...]]:
    parts: list[tuple[str, tuple[Any, ...]]] = [
        ("t.project_id = ?", (wanted.project_id,)),
        ("t.deleted_at IS NULL", ()),
        ("t.internal = ?", (int(wanted.internal),)),
        (VISIBLE, (wanted.viewer_id,)),
    ]
    if wanted.archived is not None:
        parts.append(("t.archived = ?", (int(wanted.archived),)))
    if wanted.created_by is not None:
        parts.append(("t.created_by = (SELECT id FROM users WHERE number = ?)", (wanted.created_by,)))
    if wanted.origin_product is not None:
        parts.append(("t.origin_product = ?", (wanted.origin_product,)))
    parts += _of_repository(wanted)
    if wanted.stage is not None:
        parts.append((HAS_STAGE, (wanted.stage,)))
    if wanted.search:
        parts.append(_found(c, wanted.search))
    if wanted.status is not None:
        parts.append(_of_status(wanted.status))
    where = " AND ".join(sql for sql, _ in parts)
    return f"FROM project_tasks AS t WHERE {where}", tuple(value for _, values in parts for value in values)


def _of_status(status: Status) -> tuple[str, tuple[Any, ...]]:
    if status in TERMINAL:
        return LATEST_ENDED.format(states=_listed(state for state, word in OF_STATE.items() if word == status)), ()
    return LATEST_LIVE, (status,)


def _of_repository(wanted: Wanted) -> Iterable[tuple[str, tuple[Any, ...]]]:
    if wanted.organization is not None:
        prefix = f"{wanted.organization.lower()}/"
        yield "SUBSTR(t.repository, 1, CAST(? AS INTEGER)) = ?", (len(prefix), prefix)
    if wanted.repository is None:
        return
    asked = wanted.repository.lower()
    if "/" in asked:
        yield "t.repository = ?", (asked,)
    else:
        yield "SUBSTR(t.repository, LENGTH(t.repository) - CAST(? AS INTEGER)) = ?", (len(asked), f"/{asked}")


def _found(c: Connection, text: str) -> tuple[str, tuple[Any, ...]]:
    """In the title or the description, or by the number that a slug ends with, whatever stands before it."""
    number = text.rpartition("-")[2]
    is_number = number.isascii() and number.isdecimal() and len(number) < 19
    found = f"{FINDS[c.dialect]}(t.folded, ?) > 0"
    return (f"({found} OR t.number = ?)", (fold(text), int(number))) if is_number else (found, (fold(text),))

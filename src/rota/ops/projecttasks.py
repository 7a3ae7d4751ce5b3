"""Tasks of projects: who sees them, and how they are made, changed, listed and deleted.

What is `given` is by the names of the contract's TaskWrite, each value read and of its type: only what was given is there.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from rota.core.actor import Actor
from rota.core.errors import Invalid, NotFound, Problem
from rota.core.policy import Policy
from rota.core.projecttask import REPORT, ProjectTask, archived_at, read_repository, revised, with_title
from rota.core.run import Run
from rota.core.task import Task, TaskSpec
from rota.core.work import Project as ProjectWork
from rota.ops import audit, ends, projectschema
from rota.ops import tasks as all_tasks
from rota.ops.context import Rota
from rota.store import projectlist, projects, projecttasks, tasks
from rota.store.database import Connection
from rota.store.projectlist import ProjectPage, Shown, Wanted
from rota.store.projects import Project

IMPLEMENTS = "implementation"
# Relations of reports that their own tasks have.
RESERVED = ("research", "repo_selection", "scout")
# A task may have several runs at once; how many there is room for is the server's limit.
POLICY = Policy(max_concurrent=1024, queue_max=10_000)


def get_visible_task(c: Connection, actor: Actor, project: Project, task_id: str) -> ProjectTask:
    """The one rule of visibility, for reads and writes and for all that is under a task: its runs, artifacts and presence.

    A user sees own tasks, those of nobody, and those of origins that are shared with the project. Raises NotFound for
    everything else, deleted tasks and those of other projects included.
    """
    found = projecttasks.find_project_task(c, task_id)
    if found is None or found.project_id != project.id or not found.is_seen_by(actor.id):
        raise NotFound(f"there is no task {task_id} in this project")
    return found


async def create_task(rota: Rota, actor: Actor, project: Project, given: Mapping[str, Any]) -> Shown:
    """Store a task of the actor's with the project's next number. No run is started. Raises Invalid at `body.<field>`."""
    await _check(given)
    _check_report(given)
    task_id, now = rota.ids.new(), rota.clock.now()
    blank = _blank(task_id, actor, given, now)

    def write(c: Connection) -> tuple[Shown, Task]:
        number = projects.take_number(c, project.id)
        task = _task(c, project, number, blank, now)
        tasks.insert_task(c, task)
        made = replace(blank, project_id=project.id, number=number)
        projecttasks.insert_project_task(c, made)
        if made.origin_product == REPORT and made.signal_report:
            relationship = given.get("signal_report_task_relationship", IMPLEMENTS)
            projecttasks.link_report(c, task_id, made.signal_report, relationship)
        audit.note(c, rota, actor, "task.created", task_id, name=task.name, project_id=project.id)
        return projectlist.show_tasks(c, [task_id])[0], task

    shown, task = await rota.database.write(write)
    rota.tell_task("task.created", task)
    return shown


async def get_task(rota: Rota, actor: Actor, project: Project, task_id: str) -> Shown:
    """Raises NotFound."""

    def read(c: Connection) -> Shown:
        get_visible_task(c, actor, project, task_id)
        return projectlist.show_tasks(c, [task_id])[0]

    return await rota.database.read(read)


async def change_task(rota: Rota, actor: Actor, project: Project, task_id: str, given: Mapping[str, Any]) -> Shown:
    """Change what is given. Runs that are on their way are left alone. Raises Invalid at `body.<field>`, NotFound."""
    await _check(given)
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Shown, Task]:
        changed = revised(get_visible_task(c, actor, project, task_id), _stored(given), now)
        _check_integration(changed.origin_product, changed.github_user_integration)
        projecttasks.update_project_task(c, changed)
        audit.note(c, rota, actor, "task.updated", task_id, fields=list(given))
        return projectlist.show_tasks(c, [task_id])[0], tasks.get_task(c, task_id)

    shown, task = await rota.database.write(write)
    rota.tell_task("task.changed", task)
    return shown


async def delete_task(rota: Rota, actor: Actor, project: Project, task_id: str) -> None:
    """Take a task out for good: its runs are cancelled, its number stays taken. Raises NotFound."""
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Task, list[Run]]:
        get_visible_task(c, actor, project, task_id)
        task = tasks.get_task(c, task_id)
        audit.note(c, rota, actor, "task.deleted", task_id, name=task.name)
        return task, all_tasks.remove(c, rota, task, now, with_runs=False)

    task, ended = await rota.database.write(write)
    for loop in ("dispatcher", "pruner"):
        rota.bus.wake(loop)
    ends.tell(rota, task, ended)
    rota.tell_task("task.removed", task)


async def list_tasks(rota: Rota, actor: Actor, wanted: Wanted, *, limit: int, offset: int) -> ProjectPage:
    """Newest first. Internal ones are listed to the right `staff` alone; to others that wish is none."""
    seen = replace(wanted, viewer_id=actor.id, internal=wanted.internal and actor.has("staff"))
    return await rota.database.read(lambda c: projectlist.page_tasks(c, seen, limit, offset))


async def list_given(
    rota: Rota, actor: Actor, project: Project, task_ids: Sequence[str], *, limit: int, offset: int
) -> ProjectPage:
    """Those of the tasks that the actor sees, newest first, archived and internal ones included."""
    return await rota.database.read(lambda c: projectlist.page_given(c, project.id, actor.id, task_ids, limit, offset))


async def list_repositories(rota: Rota, actor: Actor, project: Project) -> list[str]:
    """Of the tasks that the actor sees and that are not internal; each once, sorted."""
    return await rota.database.read(lambda c: projectlist.list_repositories(c, project.id, actor.id))


def _blank(task_id: str, actor: Actor, given: Mapping[str, Any], now: datetime) -> ProjectTask:
    """A new task as it was asked for, before it has its place in a project."""
    empty = ProjectTask(id=task_id, project_id=0, number=0, created_at=now, updated_at=now, created_by=actor.id)
    titled = with_title(revised(empty, _stored(given), now), given)
    return replace(
        titled,
        origin_product=given.get("origin_product", titled.origin_product),
        signal_report=given.get("signal_report"),
        archived_at=archived_at(None, given.get("archived"), now),
    )


def _task(c: Connection, project: Project, number: int, made: ProjectTask, now: datetime) -> Task:
    """What the engine is told of it: a task of its creator's, whose work is the project's."""
    name = f"posthog-{project.id}-{number}"
    if tasks.find_task_by_name(c, made.created_by, name) is not None:
        name = f"{name}-{made.id}"
    spec = TaskSpec(name=name, executor=ProjectWork(project_id=project.id), policy=POLICY)
    return Task(
        id=made.id,
        spec=spec,
        source="api",
        status="active",
        created_at=now,
        updated_at=now,
        anchor_at=now,
        cursor_at=now,
        owner_id=made.created_by,
    )


def _stored(given: Mapping[str, Any]) -> dict[str, Any]:
    """As it is kept: repositories in lower case."""
    repository = given.get("repository")
    return {**given, **({"repository": read_repository(repository)} if repository is not None else {})}


async def _check(given: Mapping[str, Any]) -> None:
    _stored(given)
    if given.get("json_schema") is not None:  # what judges schemas is slow to load
        await asyncio.to_thread(projectschema.check_json_schema, given["json_schema"])


def _check_report(given: Mapping[str, Any]) -> None:
    is_report = given.get("origin_product") == REPORT
    relationship = given.get("signal_report_task_relationship")
    place = "body.signal_report_task_relationship"
    if relationship in RESERVED:
        raise Invalid.at(place, f'"{relationship}" is a reserved relationship.')
    if relationship is not None and not (is_report and given.get("signal_report")):
        raise Invalid.at(place, "This needs signal_report and origin_product signal_report beside it.")
    _check_integration(given.get("origin_product"), given.get("github_user_integration"))


def _check_integration(origin: str | None, integration: str | None) -> None:
    if origin == REPORT and integration is not None:
        message = "A task of a signal report has no user integration."
        raise Invalid(message, [Problem("body.github_user_integration", message)])

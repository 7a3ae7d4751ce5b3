"""Operations on tasks."""

from collections.abc import Sequence
from typing import Any

from rota.core.projecttask import ORIGINS
from rota.http.reply import Reply, created, no_content, ok
from rota.http.routes import Ask
from rota.ops import projecttasks
from rota.store.projectlist import Shown, Wanted
from rota.surfaces.posthog import latest, translate, wire
from rota.surfaces.posthog.fields import Field, Fields, anything, boolean, choice, integer, list_of, text, uuid
from rota.surfaces.posthog.operation import Op, id_of, project_of
from rota.surfaces.posthog.paging import page_of, window_of

LONGEST = 1024 * 1024
RELATIONSHIP = r"[a-z0-9][a-z0-9_-]*"
STATUSES = ("not_started", "queued", "in_progress", "completed", "failed", "cancelled")
ARCHIVED = {"true": True, "false": False, "all": None}

CHANGE: Fields = {
    "title": Field(text(255)),
    "title_manually_set": Field(boolean),
    "description": Field(text(LONGEST)),
    "repository": Field(text(255), null=True),
    "github_integration": Field(integer(), null=True),
    "github_user_integration": Field(uuid, null=True),
    "json_schema": Field(anything, null=True),
    "internal": Field(boolean),
    "archived": Field(boolean),
    "ci_prompt": Field(text(LONGEST), null=True),
}
CREATE: Fields = {
    **CHANGE,
    "origin_product": Field(choice(ORIGINS)),
    "signal_report": Field(uuid, null=True),
    "signal_report_task_relationship": Field(text(200, pattern=RELATIONSHIP)),
}
FILTERS: Fields = {
    "archived": Field(choice(tuple(ARCHIVED)), default="false"),
    "internal": Field(boolean, default=False),
    "created_by": Field(integer()),
    "organization": Field(text(blank=False)),
    "repository": Field(text(blank=False)),
    "origin_product": Field(text(blank=False)),
    "stage": Field(text(blank=False)),
    "status": Field(choice(STATUSES)),
    "search": Field(text()),
}
SUMMARIES: Fields = {"ids": Field(list_of(uuid, empty="This list may not be empty.", most=5000), required=True)}


async def list_tasks(ask: Ask) -> Reply:
    window, project = window_of(ask), project_of(ask)
    filters = {**ask.query, "archived": ARCHIVED[ask.query["archived"]]}
    wanted = Wanted(project_id=project.id, viewer_id=ask.actor.id, **filters)
    page = await projecttasks.list_tasks(ask.rota, ask.actor, wanted, limit=window.limit, offset=window.offset)
    return ok(page_of(ask, window, page.total, await _tasks(ask, page.items)))


async def create_task(ask: Ask) -> Reply:
    project = project_of(ask)
    shown = await projecttasks.create_task(ask.rota, ask.actor, project, ask.body)
    made = await show_task(ask, shown)
    return created(made, f"{str(ask.scope['path']).rstrip('/')}/{made.id}/")


async def get_task(ask: Ask) -> Reply:
    shown = await projecttasks.get_task(ask.rota, ask.actor, project_of(ask), id_of(ask, "task_id"))
    return ok(await show_task(ask, shown))


async def change_task(ask: Ask) -> Reply:
    shown = await projecttasks.change_task(ask.rota, ask.actor, project_of(ask), id_of(ask, "task_id"), ask.body)
    return ok(await show_task(ask, shown))


async def delete_task(ask: Ask) -> Reply:
    await projecttasks.delete_task(ask.rota, ask.actor, project_of(ask), id_of(ask, "task_id"))
    return no_content()


async def list_repositories(ask: Ask) -> Reply:
    found = await projecttasks.list_repositories(ask.rota, ask.actor, project_of(ask))
    return ok(wire.Repositories(repositories=found))


async def list_summaries(ask: Ask) -> Reply:
    window, project = window_of(ask), project_of(ask)
    page = await projecttasks.list_given(ask.rota, ask.actor, project, ask.body["ids"], limit=window.limit, offset=window.offset)
    runs = latest.list_statuses(page.items)
    summaries = [translate.summary_wire(shown, runs.get(shown.task.id)) for shown in page.items]
    return ok(page_of(ask, window, page.total, summaries))


async def show_task(ask: Ask, shown: Shown) -> wire.Task:
    """A task as every operation answers it, its latest run included."""
    return (await _tasks(ask, [shown]))[0]


async def _tasks(ask: Ask, shown: Sequence[Shown]) -> list[wire.Task]:
    runs = await latest.list_runs(ask, shown)
    return [translate.task_wire(project_of(ask), each, runs.get(each.task.id)) for each in shown]


_LATER: dict[str, Any] = {"body": CHANGE, "shown_body": wire.TaskWrite, "reply": wire.Task, "errors": (404,)}
TASK_ROUTES: tuple[Op, ...] = (
    Op(
        method="GET", path="/tasks", handler=list_tasks, summary="List tasks, newest first", scope="task:read",
        query=FILTERS, reply=wire.TaskPage,
    ),
    Op(
        method="POST", path="/tasks", handler=create_task, summary="Create a task", scope="task:write",
        body=CREATE, shown_body=wire.TaskWrite, reply=wire.Task, status=201,
    ),
    Op(
        method="GET", path="/tasks/repositories", handler=list_repositories, summary="Repositories of the tasks",
        scope="task:read", reply=wire.Repositories,
    ),
    Op(
        method="POST", path="/tasks/summaries", handler=list_summaries, summary="Some tasks, in short", scope="task:read",
        body=SUMMARIES, shown_body=wire.SummariesBody, reply=wire.SummaryPage,
    ),
    Op(
        method="GET", path="/tasks/{task_id}", handler=get_task, summary="Get a task", scope="task:read",
        reply=wire.Task, errors=(404,),
    ),
    Op(
        method="PATCH", path="/tasks/{task_id}", handler=change_task, summary="Change a task", scope="task:write", **_LATER,
    ),
    Op(
        method="PUT", path="/tasks/{task_id}", handler=change_task, summary="As PATCH", scope="task:write", **_LATER,
    ),
    Op(
        method="DELETE", path="/tasks/{task_id}", handler=delete_task, summary="Delete a task for good", scope="task:write",
        status=204, errors=(404,),
    ),
)  # fmt: skip

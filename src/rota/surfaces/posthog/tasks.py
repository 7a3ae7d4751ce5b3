"""Operations on tasks."""

from rota.http.reply import Reply, ok
from rota.http.routes import Ask
from rota.ops import projecttasks
from rota.surfaces.posthog.operation import Op, id_of, project_of


async def get_task(ask: Ask) -> Reply:
    project, task_id = project_of(ask), id_of(ask, "task_id")
    task = await ask.rota.database.read(lambda c: projecttasks.get_visible_task(c, ask.actor, project, task_id))
    return ok(task)


TASK_ROUTES: tuple[Op, ...] = (
    Op(method="GET", path="/tasks/{task_id}", handler=get_task, summary="Get a task", scope="task:read", errors=(404,)),
)

"""Whose artifacts are meant, of tasks and runs of projects."""

from rota.core.actor import Actor
from rota.core.artifact import folder_of
from rota.core.errors import NotFound
from rota.ops.artifacts import Place, Reach
from rota.ops.projecttasks import get_visible_task
from rota.store import runs
from rota.store.database import Connection
from rota.store.projects import Project


def staged_of(actor: Actor, project: Project, task_id: str) -> Reach:
    """Those that wait for the next run of a task that the actor sees."""

    def reach(c: Connection) -> Place:
        get_visible_task(c, actor, project, task_id)
        return Place(task_id, folder_of(task_id, project.id))

    return reach


def run_of(actor: Actor, project: Project, task_id: str, run_id: str) -> Reach:
    """Those of a run of a task that the actor sees."""

    def reach(c: Connection) -> Place:
        get_visible_task(c, actor, project, task_id)
        run = runs.find_shown_run(c, run_id)
        if run is None or run.task_id != task_id:
            raise NotFound(f"the task has no run {run_id}")
        return Place(task_id, folder_of(task_id, project.id), run_id)

    return reach

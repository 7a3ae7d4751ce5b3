"""Tasks of projects: who sees them, and how they are made, changed and deleted."""

from rota.core.actor import Actor
from rota.core.errors import NotFound
from rota.core.projecttask import ProjectTask
from rota.store import projecttasks
from rota.store.connection import Connection
from rota.store.projects import Project


def get_visible_task(c: Connection, actor: Actor, project: Project, task_id: str) -> ProjectTask:
    """The one rule of visibility, for reads and writes and for all that is under a task: its runs, artifacts and presence.

    A user sees own tasks, those of nobody, and those of origins that are shared with the project. Raises NotFound for
    everything else, deleted tasks and those of other projects included.
    """
    found = projecttasks.find_project_task(c, task_id)
    if found is None or found.project_id != project.id or not found.is_seen_by(actor.id):
        raise NotFound(f"there is no task {task_id} in this project")
    return found

"""Projects, and who belongs to them."""

from rota.core.actor import Actor
from rota.core.errors import Invalid, NotFound
from rota.ops.context import Rota
from rota.ops.users import get_user
from rota.store import projects
from rota.store.database import Connection
from rota.store.projects import Project

LONGEST_NAME = 200


async def add_project(rota: Rota, actor: Actor, name: str) -> Project:
    """Needs `system.root`. Raises Invalid at `body.name`."""
    actor.require("system.root")
    if not (1 <= len(name) <= LONGEST_NAME and name.isprintable() and name.strip()):
        raise Invalid.at("body.name", f"must have from 1 to {LONGEST_NAME} printable characters")
    now = rota.clock.now()
    number = await rota.database.write(lambda c: projects.insert_project(c, name, now))
    return Project(id=number, name=name, created_at=now)


async def join_project(rota: Rota, actor: Actor, project_id: int, user: str) -> Project:
    """Let a user (name or id) belong to a project; no error if it does. Needs `system.root`. Raises NotFound."""
    actor.require("system.root")
    now = rota.clock.now()

    def write(c: Connection) -> Project:
        project = projects.find_project(c, project_id) if 0 < project_id < 2**63 else None
        if project is None:
            raise NotFound(f"there is no project {project_id}")
        projects.insert_membership(c, project.id, get_user(c, user).id, now)
        return project

    return await rota.database.write(write)


async def list_projects(rota: Rota, actor: Actor) -> list[Project]:
    """Those the actor belongs to; for root all."""
    return await rota.database.read(lambda c: projects.list_projects(c, None if actor.is_root else actor.id))

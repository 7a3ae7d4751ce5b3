"""Projects, and who belongs to them."""

from rota.core.actor import Actor
from rota.core.errors import Forbidden, Invalid, NotFound
from rota.ops.context import Rota
from rota.ops.users import get_user
from rota.store import projects
from rota.store.database import Connection
from rota.store.projects import Project

LONGEST_NAME = 200
CURRENT = "@current"
EVERYTHING = "*"


class MissingScope(Forbidden):
    """The key is not good for that. `scope`: what it would need."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"this key needs the scope {scope}")
        self.scope = scope


class OutsideProject(Forbidden):
    """The user does not belong to the project, or the key is not good for it."""

    def __init__(self, project_id: int) -> None:
        super().__init__(f"this key is not good for the project {project_id}")
        self.project_id = project_id


class UnknownProject(NotFound):
    """There is none of that number."""


def require_key_scope(actor: Actor, scope: str) -> None:
    """Raises MissingScope unless the key that was shown is good for `<noun>:read` or `<noun>:write`, whoever showed it.

    A key without any limits is good for all, `*` as well, and `:write` is good for `:read`.
    """
    held = actor.scopes
    written = f"{scope.removesuffix(':read')}:write"
    if held is not None and not held.intersection((EVERYTHING, scope, written)):
        raise MissingScope(scope)


async def enter_project(rota: Rota, actor: Actor, reference: str) -> Project:
    """The project of that number, or with `@current` the one that the actor joined first.

    Raises UnknownProject, and OutsideProject for one that is not the actor's or not the key's.
    """
    return await rota.database.read(lambda c: get_own_project(c, actor, reference))


def get_own_project(c: Connection, actor: Actor, reference: str) -> Project:
    """As enter_project."""
    if reference == CURRENT:
        project = projects.find_current(c, actor.id)
    else:
        is_number = reference.isascii() and reference.isdecimal() and len(reference) < 19
        project = projects.find_project(c, int(reference)) if is_number else None
    if project is None:
        raise UnknownProject(f"there is no project {reference[:100]!r}")
    is_in_key = actor.project_ids is None or project.id in actor.project_ids
    if not is_in_key or not projects.is_member(c, project.id, actor.id):
        raise OutsideProject(project.id)
    return project


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

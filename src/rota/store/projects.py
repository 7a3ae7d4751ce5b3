"""Projects, and who belongs to them."""

from datetime import datetime

from msgspec import Struct

from rota.store.connection import Connection, Row
from rota.store.moments import from_us, to_us

INSERT = "INSERT INTO projects (name, created_at) VALUES (?, ?) RETURNING id"
JOIN = "INSERT INTO memberships (project_id, user_id, joined_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
FIND = "SELECT id, name, created_at FROM projects WHERE id = ?"
LIST = "SELECT id, name, created_at FROM projects ORDER BY id"
IS_MEMBER = "SELECT 1 FROM memberships WHERE project_id = ? AND user_id = ?"
FIRST_OF_USER = """
    SELECT id, name, created_at FROM projects JOIN memberships ON memberships.project_id = projects.id
    WHERE memberships.user_id = ? ORDER BY memberships.joined_at, id LIMIT 1"""
TAKE_NUMBER = "UPDATE projects SET next_number = next_number + 1 WHERE id = ? RETURNING next_number - 1"
LIST_OF_USER = """
    SELECT id, name, created_at FROM projects
    WHERE id IN (SELECT project_id FROM memberships WHERE user_id = ?) ORDER BY id"""


class Project(Struct, frozen=True, kw_only=True):
    id: int
    name: str
    created_at: datetime


def insert_project(c: Connection, name: str, created_at: datetime) -> int:
    """Returns its number."""
    return int(c.rows(INSERT, (name, to_us(created_at)))[0][0])


def insert_membership(c: Connection, project_id: int, user_id: str, joined_at: datetime) -> bool:
    """False if the user belongs to the project already. Conflict if either does not exist."""
    return c.run(JOIN, (project_id, user_id, to_us(joined_at))) == 1


def find_project(c: Connection, project_id: int) -> Project | None:
    row = c.row(FIND, (project_id,))
    return None if row is None else _project(row)


def is_member(c: Connection, project_id: int, user_id: str) -> bool:
    return c.row(IS_MEMBER, (project_id, user_id)) is not None


def find_current(c: Connection, user_id: str) -> Project | None:
    """The project that the user joined first."""
    row = c.row(FIRST_OF_USER, (user_id,))
    return None if row is None else _project(row)


def take_number(c: Connection, project_id: int) -> int:
    """The number of the next task of a project, from 0; no other gets it."""
    return int(c.rows(TAKE_NUMBER, (project_id,))[0][0])


def list_projects(c: Connection, user_id: str | None = None) -> list[Project]:
    """Those that a user belongs to, or all."""
    rows = c.rows(LIST) if user_id is None else c.rows(LIST_OF_USER, (user_id,))
    return [_project(row) for row in rows]


def _project(row: Row) -> Project:
    return Project(id=row[0], name=row[1], created_at=from_us(row[2]))

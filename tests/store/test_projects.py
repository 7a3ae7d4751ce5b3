from tests.factories import NOON
from tests.store.storing import add_user

from rota.store import projects
from rota.store.connection import Connection
from rota.store.projects import Project


def test_a_project_comes_back_by_its_number(c: Connection) -> None:
    number = projects.insert_project(c, "web", NOON)
    assert projects.find_project(c, number) == Project(id=number, name="web", created_at=NOON)
    assert projects.find_project(c, number + 1) is None


def test_a_user_belongs_to_projects_once_each(c: Connection) -> None:
    ann, bob = add_user(c, "ann"), add_user(c, "bob")
    web, app = projects.insert_project(c, "web", NOON), projects.insert_project(c, "app", NOON)
    assert projects.insert_membership(c, web, ann, NOON)
    assert not projects.insert_membership(c, web, ann, NOON)
    assert [project.name for project in projects.list_projects(c, ann)] == ["web"]
    assert projects.list_projects(c, bob) == []
    assert [project.id for project in projects.list_projects(c)] == [web, app]

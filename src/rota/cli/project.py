"""`rota project`: what users share."""

import click

from rota.cli.command import with_place
from rota.cli.output import show_json, show_line
from rota.cli.place import Place
from rota.cli.storage import ask
from rota.core.actor import OPERATOR


@click.group("project")
def group() -> None:
    """Projects: what users share."""


@group.command("add")
@click.argument("name")
@with_place
def add(place: Place, name: str) -> None:
    """Make a project and print {"id", "name"}; the id is a number."""
    from rota.ops.projects import add_project

    project = ask(place, lambda rota: add_project(rota, OPERATOR, name))
    show_line({"id": project.id, "name": project.name})


@group.command("join")
@click.argument("project_id", type=click.IntRange(1))
@click.option("--user", required=True, metavar="NAME", help="Name or id of the user.")
@with_place
def join(place: Place, project_id: int, user: str) -> None:
    """Let a user belong to a project."""
    from rota.ops.projects import join_project

    project = ask(place, lambda rota: join_project(rota, OPERATOR, project_id, user))
    if place.as_json:
        show_json({"id": project.id, "name": project.name})
    else:
        print(f"{user} belongs to {project.name}")

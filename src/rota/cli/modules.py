"""`rota modules`: what tasks of the kind `module` can call."""

from typing import Any

import click

from rota.cli.client import open_client
from rota.cli.command import with_place
from rota.cli.output import show_json
from rota.cli.place import Place
from rota.cli.table import show_table
from rota.core.module import text_in


@click.command("modules", short_help="List the modules that tasks can call.")
@with_place
def command(place: Place) -> None:
    """List the modules: name, parameters and what they do. A parameter that must be given has a star.

    With the server down only those that come with Rota are known.
    """
    with open_client(place) as client:
        items = client.get("/v1/modules")["items"]
    if place.as_json:
        show_json({"items": items})
        return
    rows = [(each["name"], _parameters(each), text_in(each["description"]) or text_in(each["displayname"])) for each in items]
    show_table(("name", "parameters", "what it does"), rows, empty="No modules.")


def _parameters(definition: dict[str, Any]) -> str:
    each = (item for section in definition["params"] for item in section["parameters"].items())
    return ", ".join(f"{name}{'*' if parameter.get('required') else ''}: {parameter['type']}" for name, parameter in each)

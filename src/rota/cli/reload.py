"""`rota reload`: let the running server read its settings file again."""

from typing import Any

import click

from rota.cli.client import open_client
from rota.cli.command import with_place
from rota.cli.output import show_json
from rota.cli.place import Place


@click.command("reload", short_help="Let the server read its settings file again.")
@with_place
def command(place: Place) -> None:
    """Read the settings file again: all of it, or with any error nothing of it."""
    with open_client(place, for_server="reloading") as client:
        report = client.post("/v1/reload")
    if place.as_json:
        show_json(report)
        return
    print("\n".join(changes(report)) or "nothing changed")


def changes(report: dict[str, Any]) -> list[str]:
    """A line for each task or service that changed."""
    return [
        *(f"added {name}" for name in report["added"]),
        *(f"changed {each['name']}: {', '.join(each['reasons'])}" for each in report["changed"]),
        *(f"removed {name}" for name in report["removed"]),
    ]

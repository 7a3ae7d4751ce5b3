"""`rota nodes`: the servers that share the database, and their workers."""

from collections.abc import Iterator
from typing import Any

import click

from rota.cli.client import open_client
from rota.cli.command import with_place
from rota.cli.moments import moment
from rota.cli.output import show_json
from rota.cli.place import Place
from rota.cli.table import show_table

MOST_OFF_S = 2.0
# Each says every two seconds that it lives.
SILENT_S = 5.0


@click.command("nodes", short_help="List the servers that share the database, and their workers.")
@with_place
def command(place: Place) -> None:
    """List the servers that share the database, and their workers: which one plans, and what each carries out at this moment."""
    with open_client(place, for_server="nodes") as client:
        found = client.get("/v1/nodes")
    if place.as_json:
        show_json(found)
        return
    rows = [_row(node) for node in found["items"]]
    show_table(("name", "address", "does", "runs", "labels", "since", "seen"), rows, empty="No nodes.")
    if found["term"] is not None:
        click.echo(f"Term {found['term']}.")
    for node in found["items"]:
        for remark in list_remarks(node):
            click.echo(f"{node['name']}: {remark}")
    for wait in found["unplaced"]:
        click.echo(f"{wait['runs']} {'run waits' if wait['runs'] == 1 else 'runs wait'}: {wait['why']}")


def list_remarks(node: dict[str, Any]) -> Iterator[str]:
    """What an operator should look at."""
    if node["silent_s"] > SILENT_S:
        yield f"not heard of for {node['silent_s']:.0f} s; others take what it had after {node['lost_after_s']:.0f} s"
    if node["differs"]:
        yield f"differs in {', '.join(node['differs'])}"
    if abs(node["clock_off_s"]) > MOST_OFF_S:
        yield f"its clock is {node['clock_off_s']:+.0f} s off"


def _row(node: dict[str, Any]) -> tuple[str | None, ...]:
    does = "plans" if node["leads"] else "works" if node["kind"] == "worker" else "carries out"
    runs = f"{node['busy']} of {node['capacity']}"
    return (
        node["name"], node["address"], does, runs, ", ".join(node["labels"]), moment(node["started_at"]), moment(node["seen_at"]),
    )  # fmt: skip

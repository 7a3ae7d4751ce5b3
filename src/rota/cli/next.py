"""`rota next`: when a task will run."""

import click

from rota.cli.client import open_client
from rota.cli.command import with_place
from rota.cli.lookup import get_task
from rota.cli.output import show_json
from rota.cli.place import Place
from rota.cli.table import show_table

NOTES = {
    "dst_gap": "clocks go forward: the planned wall time does not exist that day",
    "dst_fold": "clocks go back: this wall time comes twice that day",
}


@click.command("next", short_help="Show the next times of a task.")
@click.argument("task")
@click.option("-n", "count", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many.")
@click.option("--after", metavar="MOMENT", help="From this moment on (RFC 3339) instead of from now.")
@with_place
def command(place: Place, task: str, count: int, after: str | None) -> None:
    """Show the next times of TASK (name or id): in its own zone, in UTC, and what a clock change does to them."""
    with open_client(place) as client:
        answer = client.get(f"/v1/tasks/{get_task(client, task)['id']}/next", count=count, after=after)
    if place.as_json:
        show_json(answer)
        return
    rows = [(item["local"], item["at"], NOTES.get(item["note"], item["note"])) for item in answer["items"]]
    show_table(("local", "utc", "note"), rows, empty=f"{task} has no next time.")

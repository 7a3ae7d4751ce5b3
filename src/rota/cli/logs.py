"""`rota logs`: what a run wrote."""

from collections.abc import Iterator

import click

from rota.cli.client import Client, open_client
from rota.cli.command import with_place
from rota.cli.follow import Line, live_lines, printer, stored_lines
from rota.cli.lookup import get_run
from rota.cli.place import Place


@click.command("logs", short_help="Print or follow the log of a run.")
@click.argument("run")
@click.option("-f", "--follow", is_flag=True, help="Go on as lines are written, until the run ends.")
@click.option("-n", "count", type=click.IntRange(1), help="Only the last N lines.")
@with_place
def command(place: Place, run: str, follow: bool, count: int | None) -> None:
    """Print the log of RUN: an id, the first 8 or more characters of one, or a task's name for its latest run.

    Lines of the run's stdout go to stdout, those of its stderr to stderr. With --json each line is a JSON object on stdout.
    """
    show = printer(as_json=place.as_json)
    with open_client(place) as client:
        for line in _lines(client, get_run(client, run)["id"], count, follow=follow):
            show(line)


def _lines(client: Client, run_id: str, count: int | None, *, follow: bool) -> Iterator[Line]:
    start = -count if count else 0
    # With the server down nothing is being written, so what is stored is all there will be.
    return live_lines(client, run_id, start) if follow and client.online else stored_lines(client, run_id, start)

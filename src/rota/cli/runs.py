"""`rota runs`: what ran, newest first."""

import sys
from itertools import islice
from typing import Any, get_args

import click

from rota.cli.client import Client, open_client
from rota.cli.command import with_place
from rota.cli.lookup import get_task
from rota.cli.moments import duration, moment
from rota.cli.output import show_json
from rota.cli.place import Place
from rota.cli.table import show_table
from rota.core.states import State

# The time-ordered part of an id: milliseconds and the count within one.
SHORT_ID = 18
HEADINGS = ("run", "task", "state", "trigger", "started", "took", "exit")


@click.command("runs")
@click.option("--task", metavar="TASK", help="Only runs of this task, by name or id.")
@click.option("--state", type=click.Choice(get_args(State)), help="Only runs in this state.")
@click.option("-n", "count", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@with_place
def command(place: Place, task: str | None, state: str | None, count: int) -> None:
    """List runs, newest first."""
    with open_client(place) as client:
        task_id = get_task(client, task)["id"] if task else None
        runs = list(islice(client.pages("/v1/runs", task=task_id, state=state, limit=min(count, 200)), count))
        if place.as_json:
            show_json({"items": runs})
            return
        names = _names(client)
    rows = [_row(run, names.get(run["task_id"], run["task_id"])) for run in runs]
    show_table(HEADINGS, rows, empty="No runs yet.")


def _names(client: Client) -> dict[str, str]:
    return {task["id"]: task["name"] for task in client.pages("/v1/tasks")}


def _shown_id(run_id: str) -> str:
    """Whole for programs; on a terminal as much as tells runs apart and leaves room for the rest of the row."""
    return run_id[:SHORT_ID] if sys.stdout.isatty() else run_id


def _row(run: dict[str, Any], name: str) -> tuple[str, ...]:
    code = run["exit_code"]
    return (
        _shown_id(run["id"]),
        name,
        run["state"],
        run["trigger"],
        moment(run["started_at"]),
        duration(run["started_at"], run["ended_at"]),
        "" if code is None else str(code),
    )

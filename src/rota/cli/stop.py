"""`rota stop`: end a run, and say what became of it."""

import math
import sys
import time
from typing import Any

import click

from rota.cli.client import Client, open_client
from rota.cli.command import with_place
from rota.cli.errors import FAILED, OK
from rota.cli.lookup import get_run
from rota.cli.moments import duration
from rota.cli.output import show_json
from rota.cli.place import Place

# Below the time after which the client takes the server for gone.
LONGEST_WAIT_S = 20


@click.command("stop", short_help="Stop a run and say what became of it.")
@click.argument("run")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the end.",
)
@with_place
def command(place: Place, run: str, timeout_s: float) -> int:
    """Stop RUN: an id, the first 8 or more characters of one, or a task's name for its latest live run.

    Waits until all its processes have ended and prints the receipt. Exit code 1 if it is still ending when the time is over.
    """
    with open_client(place, for_server="stopping a run") as client:
        receipt = cancel(client, get_run(client, run, live=True)["id"], timeout_s)
    if place.as_json:
        show_json(receipt)
    else:
        print(text_of(receipt), file=sys.stderr if receipt["result"] == "pending" else sys.stdout)
    return FAILED if receipt["result"] == "pending" else OK


def cancel(client: Client, run_id: str, timeout_s: float) -> dict[str, Any]:
    """Ask for the end of a run and wait for it. Asking again changes nothing, and answers the receipt as it stands."""
    give_up = time.monotonic() + timeout_s
    while True:
        left_s = max(0.0, give_up - time.monotonic())
        receipt = client.post(f"/v1/runs/{run_id}/cancel", wait=math.ceil(min(left_s, LONGEST_WAIT_S)))
        if receipt["result"] != "pending" or not left_s:
            return receipt


def text_of(receipt: dict[str, Any]) -> str:
    run_id = receipt["run_id"]
    match receipt["result"]:
        case "canceled":
            took = duration(receipt["requested_at"], receipt["ended_at"])
            return f"{run_id} canceled, all its processes ended" + (f" after {took}" if took else "")
        case "finished_first":
            return f"{run_id} had finished first"
    return f"{run_id} was asked to stop and has not ended yet"

"""`rota deliveries`: what was told outside, and telling it again."""

from itertools import islice
from typing import Any

import click

from rota.cli.client import open_client
from rota.cli.command import with_place
from rota.cli.lookup import get_run
from rota.cli.moments import moment
from rota.cli.output import show_json
from rota.cli.place import Place
from rota.cli.table import show_table

HEADINGS = ("delivery", "target", "status", "tries", "written", "error")
TRIES = ("try", "at", "seconds", "code", "error")


@click.group("deliveries")
def group() -> None:
    """What was told outside: webhooks, chats, mails and callbacks."""


@group.command("list")
@click.option("--run", metavar="RUN", help="Only about this run: an id, the first characters of one, or a task's name.")
@click.option("-n", "count", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@with_place
def list_(place: Place, run: str | None, count: int) -> None:
    """List deliveries, newest first."""
    with open_client(place) as client:
        run_id = get_run(client, run)["id"] if run else None
        found = list(islice(client.pages("/v1/deliveries", run=run_id, limit=min(count, 200)), count))
    if place.as_json:
        show_json({"items": found})
        return
    show_table(HEADINGS, [_row(delivery) for delivery in found], empty="Nobody was told anything yet.")


@group.command("show")
@click.argument("delivery")
@with_place
def show(place: Place, delivery: str) -> None:
    """Show DELIVERY, an id, with each of its tries."""
    with open_client(place) as client:
        found = client.get(f"/v1/deliveries/{delivery}")
    if place.as_json:
        show_json(found)
        return
    rows = [
        (str(each["number"]), moment(each["at"]), f"{each['duration_s']:.3f}", str(each["code"] or ""), each["error"])
        for each in found["tries"] or ()
    ]
    show_table(HEADINGS, [_row(found)], empty="")
    show_table(TRIES, rows, empty="It was not tried yet.")


@group.command("replay")
@click.argument("delivery")
@with_place
def replay(place: Place, delivery: str) -> None:
    """Send DELIVERY, an id, once more as it was. A callback cannot be repeated: it tells how things stand."""
    with open_client(place, for_server="sending") as client:
        sent = client.post(f"/v1/deliveries/{delivery}/replay")
    if place.as_json:
        show_json(sent)
    else:
        print(f"{sent['id']} is sent to {sent['target']}")


def _row(delivery: dict[str, Any]) -> tuple[str | None, ...]:
    return (
        delivery["id"],
        delivery["target"],
        delivery["status"],
        str(delivery["attempts"]),
        moment(delivery["created_at"]),
        delivery["error"],
    )

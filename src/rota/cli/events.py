"""`rota events`: tell Rota that something happened."""

import json
import sys
from typing import Any

import click

from rota.cli.client import open_client
from rota.cli.command import with_place
from rota.cli.output import show_json
from rota.cli.place import Place


@click.group("events")
def group() -> None:
    """Events: facts on a topic that tasks wait for."""


def parse_payload(_context: click.Context, _argument: click.Parameter, text: str) -> Any:
    """The JSON itself, or `-` for JSON on stdin."""
    try:
        return json.loads(sys.stdin.read() if text == "-" else text)
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"this is no JSON: {error}") from error


@group.command("publish")
@click.argument("topic")
@click.argument("payload", default="{}", metavar="[JSON]", callback=parse_payload)
@with_place
def publish(place: Place, topic: str, payload: Any) -> None:
    """Publish an event on TOPIC; JSON is its payload ({} if not given, `-` reads it from stdin)."""
    with open_client(place, for_server="publishing an event") as client:
        event = client.post("/v1/events", {"topic": topic, "payload": payload})
    if place.as_json:
        show_json(event)
    else:
        print(event["id"])

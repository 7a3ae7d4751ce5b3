"""`rota key`: the secrets that users show."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from rota.cli import online
from rota.cli.client import open_client
from rota.cli.command import with_place
from rota.cli.errors import Failure
from rota.cli.moments import moment
from rota.cli.output import show_json
from rota.cli.place import Place
from rota.cli.storage import ask
from rota.cli.table import show_table
from rota.cli.user import read_line
from rota.core.actor import KEY_KINDS, OPERATOR

if TYPE_CHECKING:
    from rota.store.credentials import Credential


@click.group("key")
def group() -> None:
    """Keys: secrets that stand for a user."""


@group.command("add")
@click.option("--user", required=True, metavar="NAME", help="Name or id of the user it stands for.")
@click.option("--for", "kind", required=True, type=click.Choice(KEY_KINDS), help="The API it is for.")
@click.option("--scope", "scopes", multiple=True, metavar="S", help="Limit it to this scope; may be repeated.")
@click.option("--project", "project_id", type=int, metavar="ID", help="Limit it to this project.")
@with_place
def add(place: Place, user: str, kind: str, scopes: tuple[str, ...], project_id: int | None) -> None:
    """Make a key and print the secret, alone and for the only time.

    Without --scope (for native and posthog) and --project (for posthog) the key does whatever its user may.
    """
    from rota.ops.keys import add_key

    projects = None if project_id is None else [project_id]
    key = ask(place, lambda rota: add_key(rota, OPERATOR, user, kind, scopes=scopes or None, project_ids=projects))
    if place.as_json:
        show_json({"id": key.id, "user_id": key.user_id, "for": key.kind, "secret": key.secret})
    else:
        print(key.secret)


@group.command("list")
@with_place
def list_all(place: Place) -> None:
    """List the keys that are good for something, oldest first: whose, what for, when they were made and last shown."""
    from rota.ops.keys import list_keys

    found = ask(place, lambda rota: list_keys(rota, OPERATOR))
    if place.as_json:
        show_json([_document(key) for key in found])
        return
    rows = [
        (each["id"], each["user"], each["for"], _limits(each), moment(each["created_at"]), moment(each["used_at"]))
        for each in map(_document, found)
    ]
    show_table(("id", "user", "for", "limited to", "made", "last used"), rows, empty="No keys.")


def _document(key: "Credential") -> dict[str, Any]:
    import msgspec

    named = {"id": key.id, "user": key.user, "for": key.kind, "scopes": key.scopes, "project_ids": key.project_ids}
    moments: dict[str, Any] = msgspec.to_builtins({"created_at": key.created_at, "used_at": key.used_at})
    return named | moments


def _limits(document: dict[str, Any]) -> str:
    projects = [f"project {number}" for number in document["project_ids"] or ()]
    return ", ".join([*(document["scopes"] or ()), *projects])


@group.command("revoke")
@click.argument("key_id", metavar="[ID]", required=False)
@click.option("--secret-stdin", is_flag=True, help="Read the secret of the key from stdin, its first line.")
@with_place
def revoke(place: Place, key_id: str | None, secret_stdin: bool) -> None:
    """Take a key back, by its ID (`rota key list` shows it) or by its secret. It stops working at once, and streams that were
    opened with it end."""
    from rota.ops.keys import find_key_id

    if (key_id is not None) == secret_stdin:
        raise Failure("name the key by its id, or give its secret with --secret-stdin", code="usage")
    if secret_stdin:
        secret = read_line("secret")
        key_id = ask(place, lambda rota: find_key_id(rota, OPERATOR, secret))
    if key_id is None or not _take_back(place, key_id):
        hint = None if secret_stdin else "the secret itself is read from stdin, with --secret-stdin"
        raise Failure("there is no such key, or it was taken back before", code="not_found", hint=hint)


def _take_back(place: Place, key_id: str) -> bool:
    """By the server, if there is one: it knows what was opened with the key."""
    from rota.ops.keys import revoke_key

    if not online.answers(place.socket):
        return ask(place, lambda rota: revoke_key(rota, OPERATOR, key_id))
    with open_client(place) as client:
        try:
            client.delete(f"/v1/keys/{quote(key_id, safe='')}")
        except Failure as failure:
            if failure.code != "not_found":
                raise
            return False
    return True

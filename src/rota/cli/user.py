"""`rota user`: the people who have a name here."""

import sys

import click

from rota.cli.command import with_place
from rota.cli.errors import Failure
from rota.cli.output import show_line
from rota.cli.place import Place
from rota.cli.storage import ask
from rota.core.actor import OPERATOR, RIGHTS


@click.group("user")
def group() -> None:
    """Users: people who may ask something of Rota."""


@group.command("add")
@click.argument("name")
@click.option("--email", metavar="E", help="Where to reach them.")
@click.option("--right", "rights", multiple=True, metavar="R", help=f"{', '.join(RIGHTS)}; may be repeated.")
@click.option("--password-stdin", is_flag=True, help="Read a password from stdin, its first line.")
@with_place
def add(place: Place, name: str, email: str | None, rights: tuple[str, ...], password_stdin: bool) -> None:
    """Make a user and print {"id", "name"}."""
    from rota.ops.users import add_user

    password = read_line("password") if password_stdin else None
    user = ask(place, lambda rota: add_user(rota, OPERATOR, name, email=email, rights=rights, password=password))
    show_line({"id": user.id, "name": user.name})


def read_line(what: str) -> str:
    """The first line of stdin. Raises Failure when there is none: a forgotten pipe must not make an empty password."""
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise Failure(f"no {what} came on stdin", code="usage")
    return line

"""`rota password`: what the RunWisp surface asks for."""

import click

from rota.cli.client import open_client
from rota.cli.command import with_place
from rota.cli.errors import Failure
from rota.cli.output import show_json
from rota.cli.place import Place

AUTH_IS_OFF = 5
PREFIX = "/runwisp/api"


@click.command("password")
@with_place
def command(place: Place) -> None:
    """Print the password that this start of the server made up. Exits with 5 when authentication is off."""
    with open_client(place, for_server="the password") as client:
        if not client.get(f"{PREFIX}/auth/status")["auth_required"]:
            raise Failure("authentication is off: RUNWISP_NO_AUTH is set", code="auth_off", exit_code=AUTH_IS_OFF)
        told = client.get(f"{PREFIX}/local/credentials")
    if place.as_json:
        show_json(told)
    else:
        print(told["password"])

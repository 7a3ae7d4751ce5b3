"""`rota config`: the settings that count, and where each comes from."""

from typing import Any

import click

from rota.cli.command import with_place
from rota.cli.output import show_json
from rota.cli.place import Place
from rota.cli.table import show_table


@click.command("config", short_help="Print the settings that count, and where each comes from.")
@with_place
def command(place: Place) -> None:
    """Print each setting that counts, and where it comes from: default, file, variable or flag. Secrets are masked."""
    rows = list(place.told.rows())
    if place.as_json:
        show_json({"items": [{"name": name, "value": value, "source": source} for name, value, source in rows]})
        return
    show_table(("setting", "value", "source"), [(name, _text_of(value), source) for name, value, source in rows], empty="")


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

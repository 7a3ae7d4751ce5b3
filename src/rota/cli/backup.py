"""`rota backup`: the installation as one file."""

from pathlib import Path

import click

from rota.cli.command import with_place
from rota.cli.output import show_line
from rota.cli.place import Place


@click.command("backup", short_help="Copy everything into one file, also while serving.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@with_place
def command(place: Place, file: Path) -> None:
    """Copy the database as of this moment, the logs and the artifacts into FILE, a tar; compressed if its name ends in gz.

    A server may be at work meanwhile. Settings files are not in it, passwords and keys are: as hashes, but for what the server
    signs with.
    """
    from rota.archive import back_up
    from rota.cli.storage import open_rota

    with open_rota(place) as rota:
        account = back_up(rota.database, place.data_dir, file, rota.clock.now(), place.node)
    show_line({"file": str(file), "rows": account.rows, "files": account.files, "bytes": file.stat().st_size})

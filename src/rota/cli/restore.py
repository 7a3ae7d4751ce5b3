"""`rota restore`: an installation out of a backup."""

from pathlib import Path

import click

from rota.cli.command import with_place
from rota.cli.output import show_line
from rota.cli.place import Place


@click.command("restore", short_help="Make an installation out of a backup.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@with_place
def command(place: Place, file: Path) -> None:
    """Fill a new data directory from FILE, and the empty database that --database or the settings name, or else a SQLite file.

    A backup of either database fits both. What runs were at when it was made is settled at the first start, as after a crash.
    """
    from rota.archive import restore

    url = place.settings.server.database
    account = restore(file, place.data_dir, url.reveal() if url else None, place.node)
    show_line(
        {
            "data": str(place.data_dir),
            "rows": account.rows,
            "files": account.files,
            "made_at": f"{account.made_at:%Y-%m-%dT%H:%M:%SZ}",
        }
    )

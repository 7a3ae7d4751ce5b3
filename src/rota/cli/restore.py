"""`rota restore`: an installation out of a backup."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rota.cli.command import with_place
from rota.cli.output import show_line
from rota.cli.place import Place

if TYPE_CHECKING:
    from rota.blobs import Blobs
    from rota.store.database import Database


@click.command("restore", short_help="Make an installation out of a backup.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@with_place
def command(place: Place, file: Path) -> None:
    """Fill a new data directory from FILE, and the empty database that --database or the settings name, or else a SQLite file.

    A backup of either database fits both. What runs were at when it was made is settled at the first start, as after a crash.
    """
    from rota.archive import restore
    from rota.blobs import build_blobs
    from rota.clock import SystemClock
    from rota.datadir import BLOBS

    url = place.settings.server.database

    def find_blobs(database: "Database", data_dir: Path) -> "Blobs":
        return build_blobs(place.settings.blobs, data_dir / BLOBS, database, SystemClock())

    account = restore(file, place.data_dir, url.reveal() if url else None, place.node, find_blobs)
    show_line(
        {
            "data": str(place.data_dir),
            "rows": account.rows,
            "files": account.files,
            "made_at": f"{account.made_at:%Y-%m-%dT%H:%M:%SZ}",
        }
    )

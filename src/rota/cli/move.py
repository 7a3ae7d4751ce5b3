"""`rota move`: from SQLite to PostgreSQL."""

import sys
from contextlib import closing

import click

from rota.cli.command import with_place
from rota.cli.errors import Failure
from rota.cli.output import show_line
from rota.cli.place import Place


@click.command("move", short_help="Take the installation over to PostgreSQL.")
@click.option("--to", "url", metavar="URL", help="The empty database: postgresql://USER:PASSWORD@HOST/NAME.")
@click.option("--back", is_flag=True, help="Let the SQLite file be used again after a move that is to count no more.")
@with_place
def command(place: Place, url: str | None, back: bool) -> None:
    """Copy everything in the SQLite file to PostgreSQL, with its ids, and compare both. The server must be down.

    Begun before, it goes on where it was. Logs and artifacts stay in the data directory. Afterwards the SQLite file is
    marked, so that no server starts on it by accident.
    """
    from rota.archive import move
    from rota.store.database import open_postgres, open_sqlite
    from rota.store.moved import forget_move
    from rota.store.owner import take_ownership

    if (url is None) == (not back):
        raise Failure("say where to", code="usage", hint="rota move --to postgresql://…")
    if not place.database_file.exists():
        raise Failure(f"there is no SQLite file in {place.data_dir}", code="usage", hint="name its directory with --data")
    with take_ownership(place.data_dir), closing(open_sqlite(place.database_file)) as source:
        if url is None:
            show_line({"back": source.run(forget_move)})
            return
        with closing(open_postgres(url, use="replace")) as target:
            show_line({"rows": move(source, target, url, place.node, _show_progress).rows})


def _show_progress(table: str, rows: int) -> None:
    if sys.stderr.isatty():
        print(f"{table}: {rows} rows more", file=sys.stderr)

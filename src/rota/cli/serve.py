"""`rota serve`: the server."""

from pathlib import Path

import click

from rota.cli.command import CONFIG, DATA, DATABASE


@click.command("serve")
@CONFIG
@DATA
@click.option("--listen", metavar="HOST:PORT", help="Address of the main listener. [default: 127.0.0.1:7682]")
@DATABASE
def command(config: Path | None, data: Path | None, listen: str | None, database: str | None) -> int:
    """Run the server until SIGTERM or Ctrl-C."""
    # The only command that needs the server's modules; all others start without paying for them.
    from rota.main import serve

    return serve(config=config, data=data, listen=listen, database=database)

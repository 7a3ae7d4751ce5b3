"""`rota serve`: the server."""

import gc
from pathlib import Path

import click

from rota.cli.command import CONFIG, DATA, DATABASE

# Runs leave little behind that only the collector finds; by Python's own settings (700, 10, 10) it takes a tenth of their time.
COLLECT_AFTER = (10_000, 20, 20)


def tune_collector() -> None:
    """For a process that carries work out for long."""
    gc.set_threshold(*COLLECT_AFTER)


@click.command("serve")
@CONFIG
@DATA
@click.option("--listen", metavar="HOST:PORT", help="Address of the main listener. [default: 127.0.0.1:7682]")
@DATABASE
def command(config: Path | None, data: Path | None, listen: str | None, database: str | None) -> int:
    """Run the server until SIGTERM or Ctrl-C."""
    tune_collector()
    # The only command that needs the server's modules; all others start without paying for them.
    from rota.main import serve

    gc.freeze()  # what was imported stays to the end
    return serve(config=config, data=data, listen=listen, database=database)

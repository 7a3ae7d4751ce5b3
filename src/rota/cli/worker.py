"""`rota worker`: a machine of a fleet."""

from pathlib import Path

import click

from rota.cli.command import CONFIG, DATABASE
from rota.cli.serve import tune_collector

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("worker")
@CONFIG
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Its own data directory. [default: ./.rota-worker]",
)
@DATABASE
@click.option("--labels", metavar="A,B", help="What it offers to tasks that say `runs_on`.")
@click.option("--capacity", metavar="N", help="How many runs it carries out at one time. [default: 64]")
def command(config: Path | None, data: Path | None, database: str | None, labels: str | None, capacity: str | None) -> int:
    """Carry out what servers hand out through Temporal, until SIGTERM or Ctrl-C.

    The servers' settings say `[runner] kind = "temporal"`. A worker needs the same database and Temporal; for modules, secrets
    and artifacts also the same settings file and blob store.
    """
    tune_collector()
    # As for `rota serve`: all other commands start without paying for this.
    from rota.main import work

    return work(config=config, data=data or Path(".rota-worker"), database=database, labels=labels, capacity=capacity)

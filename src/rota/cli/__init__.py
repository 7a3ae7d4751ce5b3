"""The command line: one file per command. Nothing of the server is imported until `rota serve` runs."""

import click

from rota import __version__
from rota.cli.agent import group as agent_group
from rota.cli.backup import command as backup_command
from rota.cli.command import RotaGroup
from rota.cli.config import command as config_command
from rota.cli.convert import group as import_group
from rota.cli.deliveries import group as deliveries_group
from rota.cli.events import group as events_group
from rota.cli.key import group as key_group
from rota.cli.logs import command as logs_command
from rota.cli.mcp import command as mcp_command
from rota.cli.modules import command as modules_command
from rota.cli.move import command as move_command
from rota.cli.next import command as next_command
from rota.cli.nodes import command as nodes_command
from rota.cli.password import command as password_command
from rota.cli.project import group as project_group
from rota.cli.reload import command as reload_command
from rota.cli.restore import command as restore_command
from rota.cli.run import command as run_command
from rota.cli.runs import command as runs_command
from rota.cli.serve import command as serve_command
from rota.cli.service import group as service_group
from rota.cli.stop import command as stop_command
from rota.cli.tasks import command as tasks_command
from rota.cli.user import group as user_group
from rota.cli.validate import command as validate_command
from rota.cli.worker import command as worker_command

COMMANDS: tuple[click.Command, ...] = (
    serve_command,
    worker_command,
    validate_command,
    config_command,
    reload_command,
    tasks_command,
    modules_command,
    next_command,
    run_command,
    runs_command,
    logs_command,
    stop_command,
    events_group,
    deliveries_group,
    nodes_command,
    user_group,
    agent_group,
    key_group,
    project_group,
    password_command,
    mcp_command,
    import_group,
    service_group,
    backup_command,
    restore_command,
    move_command,
)


@click.command(
    "rota",
    cls=RotaGroup,
    commands={command.name or "": command for command in COMMANDS},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="rota")
def root() -> None:
    """Rota plans, durably runs and records tasks."""


def main() -> None:
    """Run the command line of this process, and exit with its code."""
    root.main(prog_name="rota")

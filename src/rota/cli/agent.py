"""`rota agent`: programs that act in their own name."""

import click

from rota.cli.command import with_place
from rota.cli.output import show_line
from rota.cli.place import Place
from rota.cli.storage import ask
from rota.core.actor import OPERATOR


@click.group("agent")
def group() -> None:
    """Agents: programs that act in their own name."""


@group.command("add")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, metavar="S", help="What it may do; may be repeated.")
@with_place
def add(place: Place, name: str, scopes: tuple[str, ...]) -> None:
    """Make an agent and print {"agent_id", "agent_secret"}. The secret is shown this once."""
    from rota.ops.agents import add_agent

    agent = ask(place, lambda rota: add_agent(rota, OPERATOR, name, scopes=scopes))
    show_line({"agent_id": agent.agent_id, "agent_secret": agent.agent_secret})

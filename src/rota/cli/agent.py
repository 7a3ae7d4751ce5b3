"""`rota agent`: programs that act in their own name, and chains of prompts that run."""

import sys
from typing import Any

import click

from rota.cli.client import open_client
from rota.cli.command import with_place
from rota.cli.errors import Failure
from rota.cli.follow import Line
from rota.cli.lookup import get_task
from rota.cli.output import show_line
from rota.cli.place import Place
from rota.cli.run import parse_params, stay
from rota.cli.storage import ask
from rota.core.actor import OPERATOR
from rota.core.scopes import SCOPES


@click.group("agent")
def group() -> None:
    """Agents: programs that act in their own name, and chains of prompts."""


@group.command("add")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, metavar="S", help="What it may do, as tasks:read or admin; may be repeated.")
@with_place
def add(place: Place, name: str, scopes: tuple[str, ...]) -> None:
    """Make an agent and print {"agent_id", "agent_secret"}. The secret is shown this once."""
    from rota.ops.agents import add_agent

    of_tools = _scopes_of_tools(place) if set(scopes) - set(SCOPES) else []
    agent = ask(place, lambda rota: add_agent(rota, OPERATOR, name, scopes=scopes, of_tools=of_tools))
    show_line({"agent_id": agent.agent_id, "agent_secret": agent.agent_secret})


def _scopes_of_tools(place: Place) -> list[str]:
    from rota.tools.catalogue import read_catalogue
    from rota.tools.entrypoints import load_entry_points

    catalogue = place.settings.tools.catalog
    asked = [entry.scopes for entry in read_catalogue(catalogue)] if catalogue else []
    return sorted({scope for scopes in [*asked, *(tool.scopes for tool in load_entry_points())] for scope in scopes})


@group.command("run")
@click.argument("name")
@click.option(
    "--input",
    "-i",
    "values",
    multiple=True,
    metavar="K=V",
    callback=parse_params,
    help="A variable's value for this run: K=V is text, K:=JSON any value.",
)
@with_place
def run(place: Place, name: str, values: dict[str, Any]) -> int:
    """Run the agent NAME (name or id of its task) and stay with it.

    What models say goes to stdout as it comes, how far the chain is to stderr. With --json the run, with its output, is all that
    is printed. The exit code is that of `rota run --wait`. Ctrl-C leaves the run going.
    """
    with open_client(place, for_server="running an agent") as client:
        task = get_task(client, name)
        if task["executor"]["kind"] != "agent":
            raise Failure(f"{task['name']} is no agent", code="usage", hint=f"run it: rota run {task['name']} --wait")
        started = client.post(f"/v1/tasks/{task['id']}/run", {"params": values} if values else {})
        return stay(client, started["id"], as_json=place.as_json, show=Narrator(), words=True)


class Narrator:
    """Shows an agent's run: each answer once, word by word, though the log has it line by line and then as a whole."""

    def __init__(self) -> None:
        self._heard = False
        self._shown = ""

    def __call__(self, line: Line) -> None:
        stream = line.get("stream")
        if stream in ("stdout", None):
            self._say(line["text"], is_whole=stream is not None)
            return
        entry = _entry(line)
        text, is_rest = str(entry.get("msg", "")), bool(entry.get("part"))
        if self._heard and (is_rest or text.startswith("Response: ")):
            return
        self._heard = False
        print(text, end="" if entry.get("more") else "\n", file=sys.stderr, flush=True)

    def _say(self, text: str, *, is_whole: bool) -> None:
        """A line, or what there is of it so far."""
        self._heard = True
        new = text.removeprefix(self._shown)
        self._shown = "" if is_whole else text
        print(new, end="\n" if is_whole else "", flush=True)


def _entry(line: Line) -> dict[str, Any]:
    """What a line says; `part` and `more` where an item is several."""
    from rota.core.entry import decode_entry

    entry = decode_entry(line["text"]) if line["stream"] == "entry" else None
    return {"msg": line["text"]} if entry is None else entry

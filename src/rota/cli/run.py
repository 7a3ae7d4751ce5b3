"""`rota run`: start a task now, and stay with it if wanted."""

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from rota.cli.client import Client, open_client
from rota.cli.command import with_place
from rota.cli.errors import FAILED, INTERRUPTED, OK
from rota.cli.follow import Line, live_lines, show_text, wait_for_end
from rota.cli.lookup import get_task
from rota.cli.output import show_json
from rota.cli.place import Place


def parse_params(_context: click.Context, _option: click.Parameter, words: tuple[str, ...]) -> dict[str, Any]:
    """`K=V` gives text, `K:=JSON` a value of any kind: text that looks like a number stays text."""
    return dict(_parse_param(word) for word in words)


def _parse_param(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if not equals or not name.strip(":"):
        raise click.BadParameter(f"{word!r} is not of the form K=V (text) or K:=JSON")
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], json.loads(value)
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"{word!r} holds no JSON: {error}") from error


@click.command("run", short_help="Start a task now.")
@click.argument("task")
@click.option(
    "--param",
    "-p",
    "params",
    multiple=True,
    metavar="K=V",
    callback=parse_params,
    help="A parameter: K=V is text, K:=JSON any value.",
)
@click.option("--wait", is_flag=True, help="Show the log as it comes, and exit with the run's own exit code.")
@with_place
def command(place: Place, task: str, params: dict[str, Any], wait: bool) -> int:
    """Start TASK (name or id) now and print the id of its run.

    With --wait the output of the run goes to stdout and stderr and the id to stderr. Ctrl-C then leaves the run going.
    """
    with open_client(place, for_server="starting a run") as client:
        run = client.post(f"/v1/tasks/{get_task(client, task)['id']}/run", {"params": params} if params else {})
        if wait:
            return stay(client, run["id"], as_json=place.as_json)
    if place.as_json:
        show_json(run)
    else:
        print(run["id"])
    return OK


def stay(client: Client, run_id: str, *, as_json: bool, show: Callable[[Line], None] = show_text, words: bool = False) -> int:
    """Stay with a run to its end. With `as_json` the run itself is all that is printed. Returns what to exit with."""
    print(f"rota: run {run_id}", file=sys.stderr, flush=True)
    try:
        for line in live_lines(client, run_id, words=words):
            if not as_json:
                show(line)
        run = wait_for_end(client, run_id)
    except KeyboardInterrupt:
        print(f"rota: run {run_id} goes on; stop it with: rota stop {run_id}", file=sys.stderr)
        return INTERRUPTED
    if as_json:
        show_json(run)
    elif run["state"] != "succeeded":
        why = run["error"] or run["reason"]
        print(f"rota: run {run['state']}" + (f": {why}" if why else ""), file=sys.stderr)
    return exit_code_of(run)


def exit_code_of(run: dict[str, Any]) -> int:
    """The child's own code; 1 for a run that failed without one or with 0; 128 + N for a child that signal N ended."""
    code = run["exit_code"]
    if run["state"] == "succeeded":
        return code or OK
    if not code:
        return FAILED
    return int(code) if code > 0 else 128 - code

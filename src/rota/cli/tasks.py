"""`rota tasks`: what there is to do, when it runs next and how it went last."""

from typing import Any

import click

from rota.cli.client import Client, open_client
from rota.cli.command import with_place
from rota.cli.moments import moment
from rota.cli.output import show_json
from rota.cli.place import Place
from rota.cli.table import show_table


@click.command("tasks", short_help="List the tasks.")
@with_place
def command(place: Place) -> None:
    """List the tasks: name, schedule, state, next and last run."""
    with open_client(place) as client:
        tasks = [_with_last_run(client, task) for task in client.pages("/v1/tasks")]
    if place.as_json:
        show_json({"items": tasks})
        return
    rows = [
        (task["name"], schedule_text(task), task["status"], moment(task.get("next_at")), _last(task["last_run"]))
        for task in tasks
    ]
    show_table(
        ("name", "schedule", "state", "next", "last run"), rows, empty="No tasks. Write some into rota.toml, or POST /v1/tasks."
    )


def schedule_text(task: dict[str, Any]) -> str:
    """When a task runs, in a few words."""
    if task.get("service"):
        return "always"
    schedule = task.get("schedule") or {"kind": "manual"}
    match schedule["kind"]:
        case "cron" | "rrule":
            zone = schedule.get("timezone")
            return f"{schedule['expr']} {zone}" if zone else str(schedule["expr"])
        case "once":
            return f"once {schedule['at']}" if schedule.get("at") else "once"
        case "event":
            return f"on {schedule['topic']}"
    return str(schedule["kind"])


def _with_last_run(client: Client, task: dict[str, Any]) -> dict[str, Any]:
    runs = client.get("/v1/runs", task=task["id"], limit=1)["items"]
    return task | {"last_run": runs[0] if runs else None}


def _last(run: dict[str, Any] | None) -> str:
    if run is None:
        return ""
    return f"{run['state']} {moment(run['ended_at'] or run['started_at'] or run['created_at'])}"

"""From what a person types to the task or run that is meant."""

import re
from typing import Any

from rota.cli.client import Client
from rota.cli.errors import Failure
from rota.cli.suggest import nearest

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ID_PREFIX = re.compile(r"[0-9a-f]{8}[0-9a-f-]*")
NAME = re.compile(r"[A-Za-z0-9._:-]{1,100}")
SHOWN = 10


def get_task(client: Client, word: str) -> dict[str, Any]:
    """The task of that name or id.

    Raises Failure (exit 2): an unknown name, with the nearest one there is, or a name that several owners use.
    """
    try:
        if NAME.fullmatch(word):
            return client.get(f"/v1/tasks/{word}")
    except Failure as failure:
        if failure.code != "not_found":
            raise
    return _find_among_all(client, word)


def get_run(client: Client, word: str, *, live: bool = False) -> dict[str, Any]:
    """The run with that id, the one whose id begins so, or the latest run of the task of that name.

    `live` prefers, among the runs of a task, the latest that has not ended. Raises Failure (exit 2) for none or several.
    """
    if ID.fullmatch(word):
        return client.get(f"/v1/runs/{word}")
    if ID_PREFIX.fullmatch(word):
        found = _runs_that_begin(client, word)
        if len(found) > 1:
            ids = ", ".join(run["id"] for run in found)
            raise Failure(f"several runs begin with {word}", code="usage", hint=f"more of the id: {ids}")
        if found:
            return found[0]
    return _latest_run(client, get_task(client, word), live=live)


def _find_among_all(client: Client, word: str) -> dict[str, Any]:
    """By name, the API knows the operator's own tasks; the person at the machine may mean one of a user."""
    tasks = list(client.pages("/v1/tasks"))
    found = [task for task in tasks if task["name"] == word]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(task["id"] for task in found)
        raise Failure(f"several users have a task named {word}", code="usage", hint=f"name one by its id: {ids}")
    raise _no_task(word, [task["name"] for task in tasks])


def _no_task(word: str, names: list[str]) -> Failure:
    like = nearest(word, names)
    hint = f"did you mean {like}?" if like else "rota tasks lists them"
    return Failure(f"no task is named {word}", code="not_found", hint=hint)


def _latest_run(client: Client, task: dict[str, Any], *, live: bool) -> dict[str, Any]:
    for state in ("running", "pending", None) if live else (None,):
        runs = client.get("/v1/runs", task=task["id"], state=state, limit=1)["items"]
        if runs:
            run: dict[str, Any] = runs[0]
            return run
    raise Failure(f"{task['name']} has not run yet", code="not_found", hint=f"run it: rota run {task['name']}")


def _runs_that_begin(client: Client, prefix: str) -> list[dict[str, Any]]:
    """Ids are time-ordered and lists are newest first, so all of them stand together right before this place."""
    from rota.http.paging import encode_cursor

    page = client.get("/v1/runs", cursor=encode_cursor("runs", f"{prefix}z"), limit=SHOWN)
    return [run for run in page["items"] if run["id"].startswith(prefix)]

"""Steps that many tests of the store begin with."""

from typing import Any

from tests.factories import NOON, make_id, make_new_run, make_task

from rota.core.run import Run
from rota.core.task import Task
from rota.store import admission, runs, tasks, users
from rota.store.connection import Connection


def add_user(c: Connection, name: str = "ann") -> str:
    return users.insert_user(c, id=make_id(), name=name, created_at=NOON).id


def add_task(c: Connection, **fields: Any) -> Task:
    task = make_task(**fields)
    tasks.insert_task(c, task)
    return task


def add_run(c: Connection, task: Task | str, **fields: Any) -> Run:
    new = make_new_run(task, **fields)
    runs.insert_runs(c, [new])
    return new.run


def add_running(c: Connection, task: Task | str, **fields: Any) -> Run:
    """A run that was claimed by `node`."""
    run = add_run(c, task, **fields)
    return admission.claim_direct(c, [run.id], "node", NOON)[0]


def add_ended(c: Connection, task: Task | str, **fields: Any) -> Run:
    return add_run(c, task, **{"state": "succeeded", "started_at": NOON, "ended_at": NOON, "attempt": 1, **fields})

"""Core values with defaults: a test names what it is about, and nothing else."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from rota.core.notification import Notification
from rota.core.run import Run
from rota.core.task import Task, TaskSpec
from rota.core.work import Shell
from rota.store.runrow import NewRun

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_numbers = count(1000)  # smaller ones are for tests that name their own


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def make_id(number: int | None = None) -> str:
    """An id that rises with its number; without one, the next."""
    number = next(_numbers) if number is None else number
    return f"019505d0-{number >> 16:04x}-7000-8000-{number & 0xFFFF:012x}"


def spec(**fields: Any) -> TaskSpec:
    return TaskSpec(**{"name": "backup", "executor": Shell(script="true"), **fields})


def make_task(**fields: Any) -> Task:
    """An active task of the installation. `name` goes into its spec."""
    name = fields.pop("name", None)
    task_id = fields.pop("id", None) or make_id()
    defaults = {
        "id": task_id,
        "spec": spec(name=name or f"task-{task_id[9:13]}-{task_id[-4:]}"),
        "source": "api",
        "status": "active",
        "created_at": NOON,
        "updated_at": NOON,
        "anchor_at": NOON,
        "cursor_at": NOON,
    }
    return Task(**{**defaults, **fields})


def make_run(task: Task | str, **fields: Any) -> Run:
    """A pending run that is due at noon."""
    defaults = {
        "id": make_id(),
        "task_id": task if isinstance(task, str) else task.id,
        "state": "pending",
        "trigger": "api",
        "created_at": NOON,
        "due_at": NOON,
    }
    return Run(**{**defaults, **fields})


def make_notification(**fields: Any) -> Notification:
    """An unread line of the installation's bell."""
    defaults = {
        "id": make_id(),
        "kind": "run.failed",
        "severity": "error",
        "title": "backup failed",
        "body": "exit code 4",
        "fingerprint": "f",
        "created_at": NOON,
        "last_occurred_at": NOON,
        "occurrences": [NOON],
    }
    return Notification(**{**defaults, **fields})


def make_new_run(task: Task | str, **fields: Any) -> NewRun:
    """The same as it is handed to the store; also takes `concurrency_key`, `dedupe_key` and `admission`."""
    names = ("concurrency_key", "dedupe_key", "admission")
    extra = {name: fields.pop(name) for name in names if name in fields}
    return NewRun(make_run(task, **fields), **extra)

"""What the authors of tasks wrote, word for word."""

from collections.abc import Sequence
from typing import Any

from rota.core.task import Task
from rota.ops.context import Rota
from rota.store import written
from rota.store.database import Connection


class Written:
    """Keeps what somebody wrote beside the task that is made of it: to be given as `beside` to what writes the task."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __call__(self, c: Connection, task: Task) -> None:
        written.upsert_written(c, task.id, self._value)


async def list_written(rota: Rota, tasks: Sequence[Task]) -> dict[str, Any]:
    """By id of the task, of tasks that the actor may see. It may be older than the task, which others change too."""
    if not tasks:
        return {}
    return await rota.database.read(lambda c: written.list_written(c, [task.id for task in tasks]))

"""What was read before and need not be decoded again."""

from collections.abc import Iterable, Mapping

import structlog

from rota.core.errors import Invalid
from rota.core.schedule import Schedule, compile_schedule
from rota.core.schedule.planned import Never
from rota.core.task import Status, Task
from rota.store import tasks
from rota.store.database import Connection

log = structlog.get_logger()

# Tasks kept decoded, and as many again that were read before those.
MOST_KNOWN = 20_000


class KnownTasks:
    """Documents and compiled schedules, decoded again only when a task's version or status has changed.

    What belongs to neither is not fresh in these tasks: the cursor and the next slot.
    Read and changed in the database's thread, asked and forgotten in the event loop's: so nothing found is looked up twice.
    """

    def __init__(self, default_timezone: str = "UTC") -> None:
        self._default_timezone = default_timezone
        self._tasks: dict[str, Task] = {}
        self._older: dict[str, Task] = {}
        self._schedules: dict[str, tuple[int, Schedule]] = {}

    def get(self, c: Connection, task_ids: Iterable[str]) -> dict[str, Task]:
        """Tasks by id. One that is gone is left out."""
        return self.get_as(c, tasks.list_versions(c, task_ids))

    def get_as(self, c: Connection, versions: Mapping[str, tuple[int, Status]]) -> dict[str, Task]:
        """The same, where version and status of each were read in this transaction."""
        found = {task_id: self._find_fresh(task_id, *version) for task_id, version in versions.items()}
        stale = [task_id for task_id, task in found.items() if task is None]
        read = tasks.get_tasks(c, stale) if stale else {}
        self.note(read.values())
        return {task_id: task or read[task_id] for task_id, task in found.items()}

    def note(self, tasks_: Iterable[Task]) -> None:
        """Take over tasks that were read elsewhere."""
        if len(self._tasks) >= MOST_KNOWN:
            # Where each piece of work is a task of its own there is no end of them. Those of late are known a while longer.
            self._older, self._tasks, self._schedules = self._tasks, {}, {}
        self._tasks.update((task.id, task) for task in tasks_)

    def task(self, task_id: str) -> Task:
        """One that was read just before. Raises KeyError."""
        return self._find(task_id) or self._tasks[task_id]

    def owner_id(self, task_id: str) -> str | None:
        task = self._find(task_id)
        return task.owner_id if task else None

    def schedule(self, task: Task) -> Schedule:
        version, schedule = self._schedules.get(task.id, (None, None))
        if schedule is None or version != task.version:
            schedule = self._compile(task)
            self._schedules[task.id] = (task.version, schedule)
        return schedule

    def _compile(self, task: Task) -> Schedule:
        try:
            return compile_schedule(
                task.spec.schedule, dst=task.spec.policy.dst, anchor_at=task.anchor_at, default_timezone=self._default_timezone
            )
        except Invalid as error:
            # It was readable when it was stored: a zone has gone from the machine. The others are to go on.
            log.error("a task is not planned: its schedule cannot be read any more", task=task.name, why=error.message)
            return Never()

    def forget(self) -> None:
        """After a transaction that failed: what was read in it may never have been."""
        self._tasks, self._older, self._schedules = {}, {}, {}

    def _find(self, task_id: str) -> Task | None:
        return self._tasks.get(task_id) or self._older.get(task_id)

    def _find_fresh(self, task_id: str, version: int, status: Status) -> Task | None:
        task = self._find(task_id)
        return task if task is not None and (task.version, task.status) == (version, status) else None

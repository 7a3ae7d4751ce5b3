"""Fills a database with tasks and runs through the store, and looks at what became of them."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rota.clock import SystemClock
from rota.core.planning import open_schedule
from rota.core.policy import Policy
from rota.core.schedule import ScheduleSpec
from rota.core.task import Task, TaskSpec
from rota.core.work import Shell, Work
from rota.ids import Ids
from rota.store import runs, tasks
from rota.store.database import Connection, Database
from rota.store.runs import NewRun

IDS = Ids(SystemClock())
TRUE = Shell(script="true")
# A run asked for by hand, as many of one task at once as the policy can say.
MANY_AT_ONCE = Policy(max_concurrent=1024, queue_max=10_000)


def make_task(
    name: str,
    *,
    schedule: ScheduleSpec | None = None,
    anchor_at: datetime | None = None,
    policy: Policy | None = None,
    work: Work = TRUE,
) -> Task:
    """An active task that runs `true` unless told otherwise, planned from its anchor."""
    anchor = anchor_at or now()
    policy = policy or Policy()
    opening = open_schedule(schedule, policy.dst, anchor, "UTC")
    return Task(
        id=IDS.new(),
        spec=TaskSpec(name=name, executor=work, schedule=schedule, policy=policy),
        source="api",
        status="active",
        created_at=anchor,
        updated_at=anchor,
        anchor_at=anchor,
        cursor_at=opening.cursor_at,
        next_at=opening.next_at,
    )


def store_tasks(database: Database, made: Sequence[Task]) -> None:
    def write(c: Connection) -> None:
        for task in made:
            tasks.insert_task(c, task)

    database.run(write)


def store_runs(database: Database, made: Sequence[NewRun]) -> None:
    database.run(lambda c: runs.insert_runs(c, made))


def now() -> datetime:
    return datetime.now(UTC)


def in_s(seconds: float) -> datetime:
    return now() + timedelta(seconds=seconds)


class Ends:
    """What a server wrote about its runs, read beside it."""

    def __init__(self, data: Path) -> None:
        self._path = data / "rota.db"

    def count(self) -> int:
        """Runs that have ended."""
        return int(self._value("SELECT COUNT(*) FROM runs WHERE ended_at IS NOT NULL"))

    def failed(self) -> int:
        return int(self._value("SELECT COUNT(*) FROM runs WHERE ended_at IS NOT NULL AND state <> 'succeeded'"))

    def first_start_s(self) -> float:
        """Unix time."""
        return float(self._value("SELECT MIN(started_at) FROM runs")) / 1e6

    def last_start_s(self) -> float:
        return float(self._value("SELECT MAX(started_at) FROM runs")) / 1e6

    def last_end_s(self) -> float:
        return float(self._value("SELECT MAX(ended_at) FROM runs")) / 1e6

    def _value(self, sql: str) -> float:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=5)) as raw:
            return float(raw.execute(sql).fetchone()[0] or 0)


def count_ended(c: Connection) -> tuple[int, float, float]:
    """Ended runs, the first start and the last end as Unix time."""
    count, begin, end = c.rows("SELECT COUNT(*), MIN(started_at), MAX(ended_at) FROM runs WHERE ended_at IS NOT NULL")[0]
    return int(count), float(begin or 0) / 1e6, float(end or 0) / 1e6

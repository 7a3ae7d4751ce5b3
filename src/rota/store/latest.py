"""The latest run of a task: the newest that has started, and the one that waits to start."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from rota.core.outcome import StopCause
from rota.core.run import Run
from rota.store.connection import Connection
from rota.store.moments import from_us_or_none
from rota.store.runrow import COLUMNS, from_row

# Slots that were skipped because a run went on stand before it, but seldom many.
_NEWEST = """
    SELECT r.id FROM runs AS r
    WHERE r.task_id = given.id AND {condition} AND r.deleted_at IS NULL ORDER BY r.id DESC LIMIT 1"""
STARTED = _NEWEST.format(condition="r.attempt > 0")
SHOWN = _NEWEST.format(condition="r.state NOT IN ('skipped', 'queue_full', 'missed')")
LIST = f"""
    WITH given (id) AS ({{values}}), wanted (id) AS (SELECT ({STARTED}) FROM given UNION SELECT ({SHOWN}) FROM given)
    SELECT {COLUMNS}, stop_cause, cancel_requested_at FROM runs WHERE id IN (SELECT id FROM wanted)"""
FIND_END = "SELECT ended_at FROM runs WHERE task_id = ? AND attempt > 0 ORDER BY id DESC LIMIT 1"


class Latest(Struct, frozen=True, kw_only=True):
    """The run that a task's state is told by. Moments are aware UTC.

    run          the newest that has started
    waiting      a newer one that has not
    stop_cause   why the run was asked to end, and when; None where it was not
    """

    run: Run | None = None
    waiting: Run | None = None
    stop_cause: StopCause | None = None
    stop_asked_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """Whether it goes on, or will be tried again."""
        return self.run is not None and self.run.ended_at is None


NEVER = Latest()


def list_latest(c: Connection, task_ids: Iterable[str]) -> dict[str, Latest]:
    """By task; those that never had a run are left out. One query, however many tasks."""
    found: dict[str, Latest] = {}
    rows = c.batch(LIST, "text", [(task_id,) for task_id in set(task_ids)])
    for *columns, cause, asked_at in sorted(rows):
        run = from_row(columns)
        if run.attempt > 0:
            found[run.task_id] = Latest(run=run, stop_cause=cause, stop_asked_at=from_us_or_none(asked_at))
        elif run.ended_at is None:
            found[run.task_id] = Latest(
                run=(before := found.get(run.task_id, NEVER)).run,
                waiting=run,
                stop_cause=before.stop_cause,
                stop_asked_at=before.stop_asked_at,
            )
    return found


def find_latest(c: Connection, task_id: str) -> Latest:
    return list_latest(c, [task_id]).get(task_id, NEVER)


def find_end(c: Connection, task_id: str) -> datetime | None:
    """When the newest run that has started ended; None while it goes on, or if there is none."""
    row = c.row(FIND_END, (task_id,))
    return None if row is None else from_us_or_none(row[0])

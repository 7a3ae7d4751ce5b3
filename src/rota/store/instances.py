"""Instances of services, as they are remembered between their runs."""

from collections.abc import Sequence

from rota.core.service import Instance
from rota.store.connection import Connection, Row
from rota.store.moments import from_us_or_none, to_us_or_none

COLUMNS = "task_id, number, restarts, fast_failures, start_at, fatal, done, asked"
LIST = f"SELECT {COLUMNS} FROM instances ORDER BY task_id, number"
LIST_OF_TASK = f"SELECT {COLUMNS} FROM instances WHERE task_id = ? ORDER BY number"
FIND = f"SELECT {COLUMNS} FROM instances WHERE task_id = ? AND number = ?"
UPSERT = f"""
    INSERT INTO instances ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (task_id, number) DO UPDATE SET restarts = excluded.restarts, fast_failures = excluded.fast_failures,
        start_at = excluded.start_at, fatal = excluded.fatal, done = excluded.done, asked = excluded.asked"""
DELETE = "DELETE FROM instances WHERE task_id = ? AND number >= ?"


def list_instances(c: Connection, task_id: str | None = None) -> list[Instance]:
    """Of one service, or of all."""
    rows = c.rows(LIST) if task_id is None else c.rows(LIST_OF_TASK, (task_id,))
    return [_instance(row) for row in rows]


def find_instance(c: Connection, task_id: str, number: int) -> Instance | None:
    row = c.row(FIND, (task_id, number))
    return None if row is None else _instance(row)


def upsert_instances(c: Connection, instances: Sequence[Instance]) -> None:
    """Remember what instances have come to, in place of what was known of them."""
    if instances:
        c.run_many(UPSERT, [_values(instance) for instance in instances])


def delete_instances(c: Connection, task_id: str, from_number: int = 0) -> None:
    """Forget the instances of a service from a number on: it has fewer now."""
    c.run(DELETE, (task_id, from_number))


def _values(instance: Instance) -> tuple[object, ...]:
    return (
        instance.task_id,
        instance.number,
        instance.restarts,
        instance.fast_failures,
        to_us_or_none(instance.start_at),
        int(instance.fatal),
        int(instance.done),
        int(instance.asked),
    )


def _instance(row: Row) -> Instance:
    task_id, number, restarts, fast_failures, start_at, fatal, done, asked = row
    return Instance(
        task_id=task_id,
        number=number,
        restarts=restarts,
        fast_failures=fast_failures,
        start_at=from_us_or_none(start_at),
        fatal=bool(fatal),
        done=bool(done),
        asked=bool(asked),
    )

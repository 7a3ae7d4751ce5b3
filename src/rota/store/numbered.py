"""Tasks of modules by number: an installation counts them, and never gives a number twice."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from rota.core.errors import NotFound
from rota.core.task import Task
from rota.core.work import Module
from rota.store.connection import Connection
from rota.store.documents import from_text, to_text

# An insert that is refused would use up a number.
INSERT = """
    INSERT INTO numbered_tasks (task_id, owner_id)
    SELECT CAST(? AS TEXT), CAST(? AS TEXT) WHERE NOT EXISTS (SELECT 1 FROM numbered_tasks WHERE task_id = ?)"""
DELETE = "DELETE FROM numbered_tasks WHERE task_id = ?"
GIVE = "UPDATE numbered_tasks SET owner_id = ? WHERE task_id = ?"
FIND = "SELECT number, task_id, owner_id, frontend_prefs FROM numbered_tasks WHERE number = ?"
FIND_OF_TASK = "SELECT number, task_id, owner_id, frontend_prefs FROM numbered_tasks WHERE task_id = ?"
PAGE = """
    SELECT number, task_id, owner_id, frontend_prefs FROM numbered_tasks
    WHERE owner_id = ? ORDER BY number DESC LIMIT ? OFFSET ?"""
COUNT = "SELECT COUNT(*) FROM numbered_tasks WHERE owner_id = ?"
SET_PREFS = "UPDATE numbered_tasks SET frontend_prefs = ? WHERE number = ?"
LARGEST = 2**63 - 1


class Numbered(Struct, frozen=True):
    """What is known of a task by its number."""

    number: int
    task_id: str
    owner_id: str
    frontend_prefs: dict[str, Any]


def note_task(c: Connection, task: Task) -> None:
    """Keep up with a task as it is now: a user's task of a module that is not removed has a number, and no other has."""
    if task.owner_id is not None and task.status != "removed" and isinstance(task.spec.executor, Module):
        c.run(INSERT, (task.id, task.owner_id, task.id))
    else:
        c.run(DELETE, (task.id,))


def drop_number(c: Connection, task_id: str) -> None:
    c.run(DELETE, (task_id,))


def give_number(c: Connection, task_id: str, owner_id: str) -> None:
    """Its task has another owner."""
    c.run(GIVE, (owner_id, task_id))


def find_numbered(c: Connection, number: int) -> Numbered | None:
    row = c.row(FIND, (number,)) if 0 < number <= LARGEST else None
    return None if row is None else _numbered(row)


def get_numbered(c: Connection, number: int) -> Numbered:
    """Raises NotFound."""
    found = find_numbered(c, number)
    if found is None:
        raise NotFound(f"there is no task {number}")
    return found


def find_number_of(c: Connection, task_id: str) -> Numbered | None:
    row = c.row(FIND_OF_TASK, (task_id,))
    return None if row is None else _numbered(row)


def page_numbered(c: Connection, owner_id: str, limit: int, offset: int) -> list[Numbered]:
    """A part of an owner's, the newest first."""
    return [_numbered(row) for row in c.rows(PAGE, (owner_id, min(limit, LARGEST), min(offset, LARGEST)))]


def count_numbered(c: Connection, owner_id: str) -> int:
    row = c.row(COUNT, (owner_id,))
    return int(row[0]) if row else 0


def set_prefs(c: Connection, number: int, prefs: dict[str, Any]) -> None:
    c.run(SET_PREFS, (to_text(prefs), number))


def _numbered(row: Iterable[Any]) -> Numbered:
    number, task_id, owner_id, prefs = row
    return Numbered(number, task_id, owner_id, from_text(prefs))

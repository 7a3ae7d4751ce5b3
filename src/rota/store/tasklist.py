"""Lists of agents' tasks, newest first, filtered and counted."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from msgspec import Struct

from rota.core.task import Status, Task
from rota.store.connection import Connection
from rota.store.tasks import get_tasks

BY_AGENTS = "EXISTS (SELECT 1 FROM users AS u WHERE u.id = t.owner_id AND u.kind = 'agent')"
TOPICS = """
    SELECT t.topic, t.id FROM tasks AS t WHERE t.topic IS NOT NULL AND t.status = 'active' AND {owned} ORDER BY t.topic, t.id"""
COUNT_KINDS = f"SELECT COALESCE(t.schedule_kind, 'manual'), t.owner_id, COUNT(*) FROM tasks AS t WHERE {BY_AGENTS} GROUP BY 1, 2"


class Asked(Struct, frozen=True, kw_only=True):
    """Which tasks of agents. `owner_id` None: of all of them. Every other field that is given narrows."""

    owner_id: str | None = None
    status: Status | None = None
    schedule_kinds: tuple[str, ...] | None = None


class TaskPage(NamedTuple):
    """A part of a list, and how long that is."""

    items: list[Task]
    total: int


def page_tasks(c: Connection, asked: Asked, limit: int, offset: int) -> TaskPage:
    where, values = _where(asked)
    ids = [row[0] for row in c.rows(f"SELECT t.id {where} ORDER BY t.id DESC LIMIT ? OFFSET ?", (*values, limit, offset))]
    found = get_tasks(c, ids)
    total = c.row(f"SELECT COUNT(*) {where}", values)
    return TaskPage([found[task_id] for task_id in ids], total[0] if total else 0)


def list_topics(c: Connection, owner_id: str | None) -> dict[str, list[str]]:
    """The ids of active tasks, by the topic they wait for: of one owner, or of all agents."""
    owned, values = (BY_AGENTS, ()) if owner_id is None else ("t.owner_id = ?", (owner_id,))
    topics: dict[str, list[str]] = {}
    for topic, task_id in c.rows(TOPICS.format(owned=owned), values):
        topics.setdefault(topic, []).append(task_id)
    return topics


def count_kinds(c: Connection) -> list[tuple[str, str, int]]:
    """How many tasks agents have made: (schedule kind, agent, number), removed ones included."""
    return [(kind, owner_id, count) for kind, owner_id, count in c.rows(COUNT_KINDS)]


def _where(asked: Asked) -> tuple[str, tuple[Any, ...]]:
    parts: list[tuple[str, Iterable[Any]]] = [("t.status <> 'removed'", ())]
    parts.append((BY_AGENTS, ()) if asked.owner_id is None else ("COALESCE(t.owner_id, '') = ?", (asked.owner_id,)))
    if asked.status is not None:
        parts.append(("t.status = ?", (asked.status,)))
    if asked.schedule_kinds is not None:
        marks = ", ".join("?" * len(asked.schedule_kinds))
        parts.append((f"COALESCE(t.schedule_kind, 'manual') IN ({marks})", asked.schedule_kinds))
    where = " AND ".join(sql for sql, _ in parts)
    return f"FROM tasks AS t WHERE {where}", tuple(value for _, values in parts for value in values)

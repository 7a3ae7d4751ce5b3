"""Forms that authors of agents drew for people: any JSON, which nothing here looks into."""

from collections.abc import Iterable
from typing import Any

from rota.store.connection import Connection
from rota.store.documents import from_text, to_text

UPSERT = "INSERT INTO agent_forms (task_id, fields) VALUES (?, ?) ON CONFLICT (task_id) DO UPDATE SET fields = excluded.fields"
GET = "SELECT task_id, fields FROM agent_forms WHERE task_id IN ({values})"


def upsert_form(c: Connection, task_id: str, fields: list[Any]) -> None:
    """Draw it anew."""
    c.run(UPSERT, (task_id, to_text(fields)))


def get_forms(c: Connection, task_ids: Iterable[str]) -> dict[str, list[Any]]:
    """By task; those without one are left out."""
    return {task_id: from_text(fields) for task_id, fields in c.batch(GET, "text", [(each,) for each in set(task_ids)])}

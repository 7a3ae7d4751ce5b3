"""What the authors of tasks wrote, word for word: the documents of tasks keep what it means."""

from collections.abc import Iterable
from typing import Any

from rota.store.connection import Connection
from rota.store.documents import from_text, to_text

UPSERT = "INSERT INTO written (task_id, text) VALUES (?, ?) ON CONFLICT (task_id) DO UPDATE SET text = excluded.text"
LIST = "SELECT task_id, text FROM written WHERE task_id IN ({values})"


def upsert_written(c: Connection, task_id: str, value: Any) -> None:
    """Keep this as it is, any JSON."""
    c.run(UPSERT, (task_id, to_text(value)))


def list_written(c: Connection, task_ids: Iterable[str]) -> dict[str, Any]:
    """By task; those of which nothing was kept are left out."""
    return {task_id: from_text(text) for task_id, text in c.batch(LIST, "text", [(task_id,) for task_id in set(task_ids)])}

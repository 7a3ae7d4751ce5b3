"""Nodes: the processes that share the database, and when each was last seen."""

from datetime import datetime

from rota.store.connection import Connection
from rota.store.moments import to_us

UPSERT = """
    INSERT INTO nodes (id, started_at, seen_at) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at"""
LIST_DEAD = "SELECT id FROM nodes WHERE seen_at < ? ORDER BY id"
DELETE = "DELETE FROM nodes WHERE id = ?"


def upsert_node(c: Connection, node_id: str, now: datetime) -> None:
    """A node is alive."""
    c.run(UPSERT, (node_id, to_us(now), to_us(now)))


def list_dead(c: Connection, before: datetime) -> list[str]:
    """Nodes that were not seen since that moment."""
    return [row[0] for row in c.rows(LIST_DEAD, (to_us(before),))]


def delete_node(c: Connection, node_id: str) -> bool:
    """Forget a node. False if it was forgotten already: someone else looks after its runs."""
    return c.run(DELETE, (node_id,)) == 1

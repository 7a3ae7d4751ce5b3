from tests.factories import NOON, at

from rota.store import nodes
from rota.store.connection import Connection


def test_a_node_that_was_not_seen_for_long_is_dead(c: Connection) -> None:
    for name in ("b", "a", "alive"):
        nodes.upsert_node(c, name, NOON)
    nodes.upsert_node(c, "alive", at(9))
    assert nodes.list_dead(c, at(5)) == ["a", "b"]


def test_a_dead_node_is_buried_by_one(c: Connection) -> None:
    nodes.upsert_node(c, "a", NOON)
    assert nodes.delete_node(c, "a")
    assert not nodes.delete_node(c, "a")
    assert nodes.list_dead(c, at(5)) == []

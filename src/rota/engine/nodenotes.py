"""What an operator should know of the nodes: where they differ and should not."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from rota.store.nodes import Node


def compare_nodes(own: Node, others: Sequence[Node], most_off: timedelta) -> Iterator[tuple[str, str]]:
    """Notes for `/readyz`, by what they are about."""
    if any(node.name == own.name for node in others):
        yield "node", f"another node is called {own.name} too: name them apart with [server] node"
    if different := _names(node for node in others if node.settings not in (own.settings, None)):
        yield "settings", f"the tasks of the settings file are others on {different}; those of who leads count"
    yield from _compare_parts(own, others)
    if different := _names(node for node in others if (node.version, node.schema) != (own.version, own.schema)):
        yield "version", f"another version runs on {different}: all are to be of one"
    if abs(own.clock_off) > most_off:
        seconds = own.clock_off.total_seconds()
        way = "ahead of" if seconds > 0 else "behind"
        yield "clock", f"the clock of this machine is {abs(seconds):.0f} s {way} the database's: set it"


def _compare_parts(own: Node, others: Sequence[Node]) -> Iterator[tuple[str, str]]:
    for part, checksum in own.parts.items():
        if different := _names(node for node in others if node.parts.get(part, checksum) != checksum):
            yield f"settings.{part}", f"[{part}] is another on {different}: it should be the same everywhere"


def _names(nodes: Iterator[Node]) -> str:
    return ", ".join(sorted(node.name for node in nodes))

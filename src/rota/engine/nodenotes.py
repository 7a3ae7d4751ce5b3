"""What an operator should know of the nodes: where they differ and should not."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from rota.store.nodes import Node, find_differences

TOLD = {
    "node": "{} has the same name: name them apart with [server] node",
    "settings": "the tasks of the settings file are others on {}; those count of who read them last: by a reload, or to lead",
    "version": "another version runs on {}: all are to be of one",
}
PART = "this part of the settings is another on {}: it should be the same everywhere"


def compare_nodes(own: Node, others: Sequence[Node], most_off: timedelta) -> Iterator[tuple[str, str]]:
    """Notes for `/readyz`, by what they are about."""
    where: dict[str, list[str]] = {}
    for node in others:
        for what in find_differences(own, node):
            where.setdefault(what, []).append(node.name)
    for what, names in where.items():
        yield what, TOLD.get(what, PART).format(", ".join(sorted(names)))
    if abs(own.clock_off) > most_off:
        way = "ahead of" if own.clock_off > timedelta(0) else "behind"
        yield "clock", f"the clock of this machine is {abs(own.clock_off).total_seconds():.0f} s {way} the database's: set it"

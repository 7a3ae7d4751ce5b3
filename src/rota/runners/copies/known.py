"""What the database says of some logs and of those who could tell more."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from msgspec import Struct

from rota.logs import LogName
from rota.store import nodes, sharedlogs
from rota.store.connection import Connection
from rota.store.sharedlogs import SharedLog

# How often it is looked at while something is waited for, and how long that is waited for.
LOOK_S, PATIENCE_S = 0.03, 2.0
# If nobody may have anything.
DOUBT_S = 0.5


class Here(Struct, frozen=True):
    """This server among the others.

    place       tells its data directory from all others
    names       what people know it by, and have known it by before
    has_others  whether there are any at this moment
    ask         lets them know that a log is wanted
    """

    place: str
    names: frozenset[str]
    has_others: Callable[[], bool]
    ask: Callable[[LogName], object]


class Known(NamedTuple):
    """What the database says.

    node_of    who had a run's last attempt, by name
    writers    who could still tell something, workers included
    places     those of them that can be asked
    addresses  the same by name
    """

    shared: dict[str, SharedLog]
    node_of: dict[str, str]
    writers: set[str]
    places: set[str]
    addresses: dict[str, str | None]


def look_up(c: Connection, run_ids: Iterable[str]) -> Known:
    ids = list(run_ids)
    alive = [seen.node for seen in nodes.list_nodes(c) if not seen.is_lost]
    return Known(
        sharedlogs.find_shared_logs(c, ids),
        nodes.find_nodes_of(c, ids),
        {word for node in alive for word in (node.id, node.place)},
        {node.place for node in alive if node.kind == "server"},
        {node.name: node.address for node in alive if node.kind == "server"},
    )

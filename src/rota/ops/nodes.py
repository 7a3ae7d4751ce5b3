"""The servers that share the database."""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from rota.core.actor import Actor
from rota.core.errors import Conflict
from rota.core.run import Run
from rota.ops.context import Rota
from rota.store import admission, leadership, nodes
from rota.store.database import Connection
from rota.store.nodes import Node, Seen


class NodeStatus(Struct, frozen=True, kw_only=True):
    """A node, as the database has it.

    leads     it plans; the others carry out what it has admitted, and serve
    capacity  how many runs it carries out at one time, `busy` of which are going on
    is_asked  it is the one that answers
    settings  a checksum of the tasks that its settings file defines: they should be the same everywhere
    """

    id: str
    name: str
    kind: str
    address: str | None
    labels: list[str]
    capacity: int
    busy: int
    leads: bool
    is_asked: bool
    settings: str | None
    started_at: datetime
    seen_at: datetime


class Unplaced(Struct, frozen=True):
    """How many runs wait because nobody can carry them out, and why."""

    why: str
    runs: int


class NodeList(Struct, frozen=True):
    """`term` rises each time another node begins to plan; null where nobody plans at this moment, or one server is alone."""

    items: list[NodeStatus]
    term: int | None
    unplaced: list[Unplaced]


async def list_nodes(rota: Rota, actor: Actor) -> NodeList:
    """By name; one where a server has its database to itself. Raises Forbidden without `system.root`."""
    actor.require("system.root")
    return await rota.database.read(lambda c: _list(c, rota))


def find_log_elsewhere(c: Connection, rota: Rota, run: Run) -> Conflict | None:
    """What to tell who asks for the log of a run that another node has carried out."""
    name = nodes.find_node_of(c, run.id) if rota.here is not None else None
    if rota.here is None or name in (None, rota.here.name):
        return None
    address = next((seen.node.address for seen in nodes.list_nodes(c) if seen.node.name == name), None)
    where = f"ask that one, at {address}" if address else "it is not there now"
    return Conflict(f"the log of this run is on the node {name}", hint=where)


def _list(c: Connection, rota: Rota) -> NodeList:
    unplaced = [Unplaced(why, count) for why, count in admission.count_unplaced(c)]
    if c.dialect == "sqlite":
        return NodeList([_alone(rota)], None, unplaced)
    holder, term = leadership.find_lead(c) or (None, None)
    return NodeList([_status(seen, holder, rota.here) for seen in nodes.list_nodes(c)], term, unplaced)


def _status(seen: Seen, holder: str | None, here: Node | None) -> NodeStatus:
    node = seen.node
    return NodeStatus(
        id=node.id, name=node.name, kind=node.kind, address=node.address, labels=node.labels, capacity=node.capacity,
        busy=node.busy, leads=node.id == holder, is_asked=here is not None and node.place == here.place,
        settings=node.settings, started_at=seen.started_at, seen_at=seen.seen_at,
    )  # fmt: skip


def _alone(rota: Rota) -> NodeStatus:
    """Nobody writes down what it knows of itself."""
    node = replace(rota.here or Node(id="", name=""), busy=rota.vitals.running)
    return _status(Seen(node, rota.vitals.started_at, rota.clock.now(), timedelta()), node.id, node)

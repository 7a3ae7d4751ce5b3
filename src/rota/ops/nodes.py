"""The servers that share the database, and their workers."""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from rota import __version__
from rota.core.actor import Actor
from rota.ops.context import Rota
from rota.store import admission, leadership, migrate, nodes
from rota.store.database import Connection
from rota.store.nodes import Node, Seen, find_differences


class NodeStatus(Struct, frozen=True, kw_only=True):
    """A node, as the database has it.

    leads     it plans; the others carry out what it has admitted, and serve
    capacity  how many runs it carries out at one time, instances of services beside them
    busy      how many are going on, those instances too
    is_asked  it is the one that answers
    settings  a checksum of the tasks that its settings file defines: they should be the same everywhere
    version, schema  of the program, and the newest form of the database that it knows; null of an older one
    lost_after_s     others may take its runs when it was silent for so long
    silent_s         nothing was heard of it for so long
    clock_off_s      how far its clock is ahead of the database's
    differs          what is another there than at the node that answers, and should not be: `settings`, `settings.<part>`,
                     `version`, `node` (its name is the same)
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
    version: str | None
    schema: int | None
    lost_after_s: float
    silent_s: float
    clock_off_s: float
    differs: list[str]
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


def _list(c: Connection, rota: Rota) -> NodeList:
    unplaced = [Unplaced(why, count) for why, count in admission.count_unplaced(c)]
    if c.dialect == "sqlite":
        return NodeList([_alone(rota, migrate.newest_migration(c))], None, unplaced)
    holder, term = leadership.find_lead(c) or (None, None)
    found = nodes.list_nodes(c)
    here = next((seen.node for seen in found if _is_here(seen.node, rota)), rota.here)
    return NodeList([_status(seen, holder, here) for seen in found], term, unplaced)


def _is_here(node: Node, rota: Rota) -> bool:
    return rota.here is not None and node.kind == "server" and node.place == rota.here.place


def _status(seen: Seen, holder: str | None, here: Node | None) -> NodeStatus:
    node = seen.node
    return NodeStatus(
        id=node.id, name=node.name, kind=node.kind, address=node.address, labels=node.labels, capacity=node.capacity,
        busy=node.busy, leads=node.id == holder, is_asked=here is not None and node.place == here.place,
        settings=node.settings, version=node.version, schema=node.schema, lost_after_s=node.lost_after.total_seconds(),
        silent_s=seen.silence.total_seconds(), clock_off_s=node.clock_off.total_seconds(),
        differs=[] if here is None else find_differences(here, node),
        started_at=seen.started_at, seen_at=seen.seen_at,
    )  # fmt: skip


def _alone(rota: Rota, schema: int) -> NodeStatus:
    """Nobody writes down what it knows of itself."""
    node = replace(rota.here or Node(id="", name=""), busy=rota.vitals.running, version=__version__, schema=schema)
    return _status(Seen(node, rota.vitals.started_at, rota.clock.now(), timedelta()), node.id, node)

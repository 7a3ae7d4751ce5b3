"""What a server may do that shares its database with others."""

from collections.abc import Callable
from datetime import timedelta

from msgspec import Struct

from rota.core.errors import Unavailable
from rota.store import leadership, nodes
from rota.store.database import Connection
from rota.store.nodes import Node

# How often a node says that it lives, and renews its lead.
BEAT = timedelta(seconds=2)
# After this long without renewal the lead is anybody's, and a node is given up by who leads.
LEAD = SILENCE = timedelta(seconds=8)
# So a node that does not get through ends its work before that.
STALE_S = 6.0


class Deposed(Unavailable):
    """This server does not plan any more: another one may."""

    def __init__(self) -> None:
        super().__init__("another server plans now")


class Seat(Struct, kw_only=True):
    """One of the nodes of a database: this one.

    steady_s  a clock that never jumps, and goes on while the machine sleeps
    heard_s   by that clock, when the last question was asked that the database has answered
    term      that it plans in; None where another plans, or nobody
    others    how many more nodes there were then
    offers    the labels of each of them that carries work out itself
    is_out    they may have given it up: it starts nothing until it has come back under another id
    """

    node: Node
    steady_s: Callable[[], float]
    heard_s: float = 0.0
    term: int | None = None
    others: int = 0
    offers: list[frozenset[str]] = []
    is_out: bool = False

    @property
    def is_stale(self) -> bool:
        return self.steady_s() - self.heard_s > STALE_S

    def was_held_up(self, began_s: float) -> bool:
        """Whether what was taken in a transaction that began at that moment may be somebody else's by now."""
        return self.is_out or self.steady_s() - began_s > STALE_S or (self.others > 0 and self.is_stale)

    def holds_lead(self, c: Connection) -> bool:
        """Whether it plans, and will until this transaction is over."""
        return self.term is not None and leadership.hold_lead(c, self.node.id, self.term)

    def check(self, c: Connection) -> None:
        """Raises Unavailable if what it takes now would not be its own."""
        if self.is_out or not nodes.hold_node(c, self.node.id):
            raise Unavailable("the other servers gave this one up", hint="it comes back by itself, under another id")

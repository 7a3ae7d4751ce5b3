"""What a server may do that shares its database with others."""

from collections.abc import Callable
from datetime import timedelta

from msgspec import Struct

from rota.core.errors import Unavailable
from rota.core.silence import Silence
from rota.store import leadership, nodes
from rota.store.database import Connection
from rota.store.nodes import Node

# The lead is anybody's after this long without renewal, however long nodes may be silent: a stale leader's writes are refused,
# so that nobody has to wait until it knows.
LONGEST_LEAD = timedelta(seconds=8)
# Who knows of nobody that could take its work keeps it for as long as this. Not for ever: others may come while it is cut off.
ALONE = Silence(600.0)


class Deposed(Unavailable):
    """This server does not plan any more: another one may."""

    def __init__(self) -> None:
        super().__init__("another server plans now")


class Seat(Struct, kw_only=True):
    """One of the nodes of a database: this one.

    steady_s  a clock that never jumps, and goes on while the machine sleeps
    silence   what it promises where there are others
    promise   what it keeps to at this moment; the database has never been told less
    heard_s   by that clock, when the last question was asked that the database has answered
    term      that it plans in; None where another plans, or nobody
    others    how many more nodes there were then
    workers   how many machines there were that only work
    offers    the labels of each of them that carries work out itself
    rooms     how many runs each of those carries out at one time, by id
    is_out    they may have given it up: it starts nothing until it has come back under another id
    """

    node: Node
    steady_s: Callable[[], float]
    silence: Silence = Silence()
    promise: Silence = Silence()
    heard_s: float = 0.0
    term: int | None = None
    others: int = 0
    workers: int = 0
    offers: list[frozenset[str]] = []
    rooms: dict[str, int] = {}
    is_out: bool = False

    @property
    def lead_ttl(self) -> timedelta:
        return min(self.silence.lost_after, LONGEST_LEAD)

    def wanted_promise(self, others: int) -> Silence:
        return self.silence if others else max(self.silence, ALONE, key=lambda each: each.lost_after_s)

    @property
    def is_stale(self) -> bool:
        """Whether it is to end its work, for nothing was heard for so long that others may soon take it."""
        return self.steady_s() - self.heard_s > self.promise.hold_s

    def was_held_up(self, began_s: float) -> bool:
        """Whether what was taken in a transaction that began at that moment may be somebody else's by now."""
        return self.is_out or self.is_stale or self.steady_s() - began_s > self.promise.hold_s

    def holds_lead(self, c: Connection) -> bool:
        """Whether it plans, and will until this transaction is over."""
        return self.term is not None and leadership.hold_lead(c, self.node.id, self.term)

    def check(self, c: Connection) -> None:
        """Raises Unavailable if what it takes now would not be its own."""
        if self.is_out or not nodes.hold_node(c, self.node.id):
            raise Unavailable("the other servers gave this one up", hint="it comes back by itself, under another id")

"""How much of what is ready one of several nodes takes, so that none fills up while others idle."""

from collections.abc import Sequence
from math import ceil

from msgspec import Struct

# So far above its share a node takes what there is: to leave it to another costs that run some milliseconds.
SLACK = 1 / 8


class Load(Struct, frozen=True):
    """Runs that a node carries out at one time, and that it does now."""

    capacity: int
    busy: int


def find_share(ready: int, own: Load, others: Sequence[Load]) -> int:
    """How many more a node takes where so many are ready: all nodes are to be full to the same part of their capacity.

    The shares of all, each asked for itself, are never less than what is ready and has room.
    """
    capacity = own.capacity + sum(each.capacity for each in others)
    busy = own.busy + sum(min(each.busy, each.capacity) for each in others)
    level = min(1.0, (busy + ready) / capacity + SLACK) if capacity else 1.0
    return max(0, ceil(own.capacity * level) - own.busy)

"""What happens to a new run of a task that is running already. This is where overlap is decided."""

from typing import Literal

from msgspec import Struct

from rota.core.policy import Policy

Admission = Literal["start", "hold", "skipped", "queue_full", "replace"]


class Occupancy(Struct):
    """How busy a task is: runs that hold one of its places, and runs that wait for one."""

    active: int = 0
    held: int = 0


def admit(policy: Policy, occupancy: Occupancy) -> Admission:
    """The verdict on one new run.

    start       it takes a free place
    hold        it waits in the task's queue
    skipped     refused, the active run is untouched (policy skip)
    queue_full  refused, `queue_max` runs wait already (policy queue)
    replace     the oldest active run is stopped and this one waits for its place; an older waiting
                replacement gives way to it (policy terminate)

    A new run never overtakes the queue: while others wait, it waits.
    """
    if occupancy.active < policy.max_concurrent and occupancy.held == 0:
        return "start"
    match policy.overlap:
        case "queue":
            return "hold" if occupancy.held < policy.queue_max else "queue_full"
        case "skip":
            return "skipped" if occupancy.active >= policy.max_concurrent else "start"
        case "terminate":
            return "replace"


def room_at_start(policy: Policy) -> int:
    """How many of the runs that an earlier server left waiting may go on, now that nothing runs (RunWisp §17)."""
    return policy.max_concurrent + (policy.queue_max if policy.overlap == "queue" else 0)

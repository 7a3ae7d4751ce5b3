"""What every schedule answers with, and the terms under which it is compiled."""

from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from rota.core.policy import Dst

Note = Literal["dst_gap", "dst_fold"]


class Planned(Struct, frozen=True):
    """One planned instant.

    at          aware, UTC
    local       the same instant in the schedule's zone
    note        `dst_gap`: moved, because its wall time does not exist that day · `dst_fold`: that wall time occurs twice
    suppressed  the second of two equal wall times, to be recorded and not run (only under `Dst.interval == "wall"`)
    """

    at: datetime
    local: datetime
    note: Note | None = None
    suppressed: bool = False


class Schedule(Protocol):
    """When a task is due. Remembers nothing: any moment may be asked, in any order."""

    def next_after(self, moment: datetime) -> Planned | None:
        """The first planned instant strictly after `moment` (aware), suppressed ones included; None if there is no more."""


class Terms(Struct, frozen=True, kw_only=True):
    """What a schedule needs to know beside its own text. `anchor_at`: creation or last change of the schedule."""

    dst: Dst
    anchor_at: datetime
    default_timezone: str = "UTC"


class Never:
    """The plan of a task that no clock starts."""

    def next_after(self, moment: datetime) -> Planned | None:
        return None

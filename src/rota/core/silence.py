"""When a machine that is not heard of has lost its work to others, and what it promises them for that."""

from datetime import timedelta

from msgspec import Struct

# A sign of life is given at least this often.
LONGEST_BEAT_S = 2.0


class Silence(Struct, frozen=True):
    """What follows from `[server] lost_after` (seconds): each machine says its own, and is judged by what it said.

    The quarter between its own end and the others' beginning is for their clocks, and for the time that ending takes.
    """

    lost_after_s: float = 8.0

    @property
    def lost_after(self) -> timedelta:
        """Then others may take what it had."""
        return timedelta(seconds=self.lost_after_s)

    @property
    def hold_s(self) -> float:
        """Until then it may work on without an answer; not one moment longer."""
        return self.lost_after_s * 3 / 4

    @property
    def beat_s(self) -> float:
        """How often it says that it lives."""
        return min(LONGEST_BEAT_S, self.lost_after_s / 4)

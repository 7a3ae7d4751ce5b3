"""What a run has written that is not a line of its log yet."""

import msgspec
from msgspec import Struct

from rota.logs import LiveRegion
from rota.runners.growth import LogGrowth


class Unfinished(Struct, frozen=True, array_like=True):
    """`regions`: what is drawn, and may still be drawn over. `begun`: a line of standard output that has not ended."""

    regions: list[LiveRegion] = []
    begun: str = ""


def find_unfinished(growth: LogGrowth, run_id: str) -> str | None:
    """As JSON; None where there is nothing of the kind."""
    regions, begun = growth.regions(run_id), growth.begun_line(run_id)
    return msgspec.json.encode(Unfinished(regions, begun)).decode() if regions or begun else None


def show_unfinished(growth: LogGrowth, run_id: str, text: str | None) -> None:
    """Let those who follow the log here see it too."""
    told = msgspec.json.decode(text, type=Unfinished) if text else Unfinished()
    growth.begin(run_id, lambda: told.regions, lambda: told.begun)

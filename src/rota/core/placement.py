"""Where work may be carried out: labels that a task asks for, and those that places offer."""

from collections.abc import Collection, Iterable, Sequence
from typing import Annotated

from msgspec import Meta, Struct

# Queues are named after them, so they hold nothing that means something in such a name.
PLACE_LABEL = r"[A-Za-z0-9._-]{1,50}"
PlaceLabel = Annotated[str, Meta(pattern=rf"^{PLACE_LABEL}$(?!\n)")]
MOST_LABELS = 8


class Place(Struct, frozen=True):
    """Something that carries work out. `room`: for how many attempts more."""

    labels: frozenset[str]
    room: int


def find_obstacles(asked: Sequence[Collection[str]], places: Iterable[Place], who: str = "node") -> list[str | None]:
    """Why each of these cannot be carried out now, given that those before it are; None where it can.

    The place with the fewest labels that will do is taken, so that rare ones stay free for who needs them.
    """
    ranked = sorted(places, key=lambda place: len(place.labels))
    room = [place.room for place in ranked]
    return [_find_obstacle(frozenset(labels), ranked, room, who) for labels in asked]


def _find_obstacle(labels: frozenset[str], places: Sequence[Place], room: list[int], who: str) -> str | None:
    fitting = [number for number, place in enumerate(places) if labels <= place.labels]
    if not fitting:
        return f"no {who} offers {', '.join(sorted(labels))}" if labels else f"there is no {who}"
    free = next((number for number in fitting if room[number] > 0), None)
    if free is None:
        return f"every {who} that offers {', '.join(sorted(labels))} is busy" if labels else f"every {who} is busy"
    room[free] -= 1
    return None

"""Who is there to carry work out, and what room they have."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from rota.core.placement import Place, find_obstacles
from rota.store.nodes import Seen

WORKER = "worker"
# One that was not heard of for longer is no place to send work to; what it has is another question.
ABSENT = timedelta(seconds=8)
Labels = frozenset[str]


class Crew:
    """The workers as they were last seen, with what was handed out since taken off their room."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._out: Counter[Labels] = Counter()
        self._left: list[Place] | None = None

    @property
    def capacity(self) -> int:
        return sum(place.room for place in self._places)

    def see(self, seen: Iterable[Seen]) -> bool:
        """These are there. True if that is something new."""
        nodes = [each.node for each in seen if each.node.kind == WORKER and each.silence < ABSENT]
        places = sorted((Place(frozenset(node.labels), node.capacity) for node in nodes), key=_order)
        is_new, self._places, self._left = places != self._places, places, None
        return is_new

    def hand_out(self, labels: Labels) -> None:
        self._out[labels] += 1
        self._left = None

    def take_back(self, labels: Labels) -> None:
        self._out[labels] -= 1
        self._left = None

    def find_obstacles(self, asked: Iterable[Labels]) -> list[str | None]:
        return find_obstacles(list(asked), self._room(), "worker")

    def _room(self) -> list[Place]:
        if self._left is None:
            self._left = self._count_room()
        return self._left

    def _count_room(self) -> list[Place]:
        """What asks for most has the least choice, so it is placed first."""
        room = [place.room for place in self._places]
        for labels, count in sorted(self._out.items(), key=lambda item: -len(item[0])):
            for number, place in enumerate(self._places):
                if count and labels <= place.labels:
                    taken = min(count, room[number])
                    room[number], count = room[number] - taken, count - taken
        return [Place(place.labels, left) for place, left in zip(self._places, room, strict=True)]


def _order(place: Place) -> tuple[int, list[str], int]:
    return len(place.labels), sorted(place.labels), place.room

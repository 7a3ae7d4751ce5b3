"""Who is there to carry work out, and what room they have."""

from collections.abc import Iterable, Mapping
from itertools import islice

from rota.core.placement import Place, find_obstacles
from rota.store.nodes import Seen

WORKER = "worker"
# A worker that had no room, though we thought so, is believed for as many looks at all of them.
BELIEVED = 2
Labels = frozenset[str]


class Crew:
    """The workers as they were last seen, with what is out taken off their room: where it is, as soon as that is known; until
    then where it fits best, for who of them takes it is not ours to say."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._out: dict[str, Labels] = {}
        self._at: dict[str, str] = {}
        self._full: dict[str, int] = {}
        self._left: list[Place] | None = None

    @property
    def capacity(self) -> int:
        return sum(place.room for place in self._places.values())

    @property
    def unknown(self) -> list[str]:
        """Runs of which it is not known who has them."""
        return [run_id for run_id in self._out if run_id not in self._at]

    def see(self, seen: Iterable[Seen]) -> bool:
        """These are there. True if that is something new."""
        nodes = [each.node for each in seen if each.node.kind == WORKER and not each.is_lost]
        places = {node.id: Place(frozenset(node.labels), node.capacity) for node in nodes}
        full = {worker: left - 1 for worker, left in self._full.items() if left > 1 and worker in places}
        is_new = places != self._places or full.keys() != self._full.keys()
        self._places, self._full, self._left = places, full, None
        return is_new

    def hand_out(self, run_id: str, labels: Labels) -> None:
        self._out[run_id] = labels
        self._left = None

    def learn(self, workers: Mapping[str, str]) -> None:
        """Who has what, by run."""
        self._at.update((run_id, worker) for run_id, worker in workers.items() if run_id in self._out)
        self._left = None

    def take_back(self, run_id: str) -> None:
        """It is over. Who had it has room again, whatever it said before."""
        self._out.pop(run_id, None)
        worker = self._at.pop(run_id, None)
        if worker is not None:
            self._full.pop(worker, None)
        self._left = None

    def hear_full(self, worker: str) -> None:
        """It had no room, for reasons of its own."""
        self._full[worker] = BELIEVED
        self._left = None

    def find_obstacles(self, asked: Iterable[Labels]) -> list[str | None]:
        return find_obstacles(list(asked), self._room(), "worker")

    def _room(self) -> list[Place]:
        if self._left is None:
            self._left = self._count_room()
        return self._left

    def _count_room(self) -> list[Place]:
        """What asks for most has the least choice, so it is placed first."""
        room = {worker: 0 if worker in self._full else place.room for worker, place in self._places.items()}
        for worker in self._at.values():
            if worker in room:
                room[worker] -= 1
        by_choice = sorted(self._places, key=lambda worker: (len(self._places[worker].labels), worker))
        for labels in sorted((self._out[run_id] for run_id in self.unknown), key=len, reverse=True):
            fitting = (worker for worker in by_choice if room[worker] > 0 and labels <= self._places[worker].labels)
            for worker in islice(fitting, 1):
                room[worker] -= 1
        return [Place(self._places[worker].labels, max(0, room[worker])) for worker in by_choice]

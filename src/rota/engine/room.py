"""The room there is for runs while a batch of them is judged."""

from datetime import datetime

from msgspec import Struct

from rota.core.limit import is_duplicate
from rota.core.overlap import Occupancy
from rota.core.task import Task
from rota.store.admission import Candidate


class Room(Struct):
    """What is taken at this moment, kept up to date while a batch of candidates is decided."""

    now: datetime
    tasks: dict[str, Task]
    occupancy: dict[str, Occupancy]
    busy_keys: set[str]
    latest: dict[str, tuple[datetime, bool]]

    def of(self, candidate: Candidate) -> Occupancy:
        return self.occupancy.setdefault(candidate.task_id, Occupancy())

    def is_duplicate(self, candidate: Candidate) -> bool:
        """Only a first attempt can repeat another run; a retry repeats nothing but itself."""
        if candidate.dedupe_key is None or candidate.attempt:
            return False
        created_at, is_live = self.latest.get(candidate.dedupe_key, (None, False))
        window_s = self.tasks[candidate.task_id].spec.policy.dedupe_window_s
        return is_duplicate(window_s, created_at, is_live, candidate.created_at)

    def is_free(self, candidate: Candidate) -> bool:
        """Whether its task has a place, and its key is nobody's."""
        has_place = self.of(candidate).active < self.tasks[candidate.task_id].spec.policy.max_concurrent
        return has_place and candidate.concurrency_key not in self.busy_keys

    def has_more_for(self, candidate: Candidate) -> bool:
        """Whether others of its queue could start as well: only the heads of queues are looked at."""
        return self.of(candidate).held > 0 and self.is_free(candidate)

    def take(self, candidate: Candidate) -> None:
        self.of(candidate).active += 1
        if candidate.concurrency_key:
            self.busy_keys.add(candidate.concurrency_key)

"""Leaves other nodes their part of what is ready."""

from datetime import datetime, timedelta

from rota.core.share import Load, find_share
from rota.engine.context import Engine
from rota.store import admission
from rota.store.database import Connection

# What was left to others and is still there after this long, whoever has room takes.
PATIENCE = timedelta(milliseconds=250)
MOST = 1000


class Balance:
    """For the dispatcher. Where there is nobody else who carries runs out, it asks nothing and changes nothing.

    look_again_at  when that is to be looked at which was left to others
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.look_again_at: datetime | None = None

    def limit(self, c: Connection, room: int, capacity: int, now: datetime) -> int:
        """How many may be taken now, of those for which there is room."""
        rooms = self._engine.seat.rooms if self._engine.seat else {}
        ready = admission.count_ready(c, MOST) if rooms and room else 0
        if not ready:
            self.look_again_at = None
            return room
        taken = admission.count_taken_by_holder(c)
        others = [Load(capacity, taken.get(node_id, 0)) for node_id, capacity in rooms.items()]
        share = find_share(ready, Load(capacity, capacity - room), others)
        if share >= min(room, ready) or self._has_waited(now):
            self.look_again_at = None
            return room
        self.look_again_at = self.look_again_at or now + PATIENCE
        return share

    def _has_waited(self, now: datetime) -> bool:
        return self.look_again_at is not None and not self.look_again_at - PATIENCE <= now < self.look_again_at

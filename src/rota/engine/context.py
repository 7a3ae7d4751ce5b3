"""What every loop is given."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from random import Random
from typing import TypeVar

from msgspec import Struct, field

from rota.bus import Bus
from rota.clock import Clock
from rota.core.notification import Rules
from rota.core.run import Run
from rota.core.task import Task
from rota.engine.known import KnownTasks
from rota.engine.seat import Deposed, Seat
from rota.ids import Ids
from rota.store import telling
from rota.store.database import Connection, Database, Work
from rota.vitals import Vitals

T = TypeVar("T")


class Engine(Struct, kw_only=True):
    """The parts the loops share.

    node   the name under which this server holds runs; a new one each time it starts
    rules  who is told of what; a reload brings new ones
    has_leases  whether workers from outside had runs when it was last looked
    has_doomed  whether runs were deleted that went on when it was last looked
    seat   its place among those that share the database; None where it has that to itself, and so always leads
    """

    node: str
    database: Database
    clock: Clock
    bus: Bus
    ids: Ids
    vitals: Vitals
    known: KnownTasks
    rules: Rules = Rules()
    has_leases: bool = False
    has_doomed: bool = False
    random: Random = field(default_factory=Random)
    seat: Seat | None = None

    @property
    def leads(self) -> bool:
        """Whether this server plans, as far as it knows."""
        return self.seat is None or self.seat.term is not None

    @property
    def node_name(self) -> str | None:
        return self.seat.node.name if self.seat else None

    @property
    def has_others(self) -> bool:
        """Whether there are more servers on this database."""
        return self.seat is not None and self.seat.others > 0

    @property
    def has_listeners(self) -> bool:
        """Whether anybody else wants to hear what happens here: other servers, or workers."""
        return self.seat is not None and self.seat.others + self.seat.workers > 0

    def may_lead(self, c: Connection) -> bool:
        """Whether this server plans, and will until this transaction is over."""
        return self.seat is None or self.seat.holds_lead(c)

    def check_lead(self, c: Connection) -> None:
        """To be called first in every transaction that plans. Raises Deposed: nothing may be written."""
        if not self.may_lead(c):
            raise Deposed

    def check_seat(self, c: Connection) -> None:
        """To be called before runs are taken. Raises Unavailable if others may have given this server up."""
        if self.seat is not None:
            self.seat.check(c)

    async def write_led(self, fn: Work[T]) -> T:
        """Write what only one plans. Raises Deposed where another does, with nothing written."""
        if self.seat is None:
            return await self.database.write(fn)

        def led(c: Connection) -> T:
            self.check_lead(c)
            return fn(c)

        return await self.database.write(led)

    def step_down(self) -> None:
        """Another may plan from now on."""
        if self.seat is not None:
            self.seat.term = None
            self.bus.wake("notifier")  # it lets go of what it was sending

    def tell(self, c: Connection, changed: Sequence[tuple[Run, Task]], now: datetime) -> int:
        """Write what is to be told of these changes, in their own transaction. The notifier is to be woken for any after it."""
        return telling.tell_all(c, self.rules, changed, self.ids, now)

    def announce(self, runs: Iterable[Run], kind: str | None = None) -> None:
        """Tell watchers about runs: as `run.<state>`, or as the kind that is given."""
        for run in runs:
            owner_id = run.owner_id or self.known.owner_id(run.task_id)
            about = {"run": run, "owner_id": owner_id, "task_id": run.task_id}
            self.bus.publish(kind or f"run.{run.state}", about)

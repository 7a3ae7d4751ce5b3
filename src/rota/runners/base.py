"""What every runner does."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from rota.core.outcome import Outcome, StopCause
from rota.core.run import Run
from rota.core.task import Task
from rota.vitals import Spent


class Claim(Struct, frozen=True):
    """An attempt to carry out. The run is `running` in the store, durably, with this attempt's number and fence.

    uptimes_s  how long its earlier attempts took, for a policy with `restart`
    secrets    variables of this run alone, beside those of its task; never shown
    """

    task: Task
    run: Run
    uptimes_s: list[float] = []
    secrets: dict[str, str] = {}


class Finished(Struct, frozen=True, kw_only=True):
    """An attempt that is over. `next_line` is the number of the line after its last one in the run's log.

    spent  what another machine, whose work this was, has counted meanwhile
    """

    run_id: str
    fence: int
    outcome: Outcome
    ended_at: datetime
    next_line: int = 0
    spent: Spent | None = None


class Delivered(Struct, frozen=True):
    """A stop that has reached the work of a run."""

    run_id: str
    at: datetime


class LogSharing(Protocol):
    """Where runs go from machine to machine: their logs go on where they are."""

    async def prepare(self, run: Run, task_name: str) -> None:
        """The log of a run is about to be written here."""

    def end(self, run_id: str) -> None:
        """It is not any more."""


class Runner(Protocol):
    """Where attempts are carried out.

    Whenever there is something to take, the settler is woken. Nothing that is taken is given a second time; whoever took it
    keeps it until it is in the store, and acknowledges it then.

    capacity  attempts at one time
    busy      attempts that are going on
    waiting   those of them that only wait for another run, and take no place
    taken     places that attempts have here, those that wait too, instances of services not; None where only the store knows
    """

    @property
    def capacity(self) -> int: ...

    @property
    def busy(self) -> int: ...

    @property
    def waiting(self) -> int: ...

    @property
    def taken(self) -> int | None: ...

    def find_obstacles(self, tasks: Sequence[Task]) -> list[str | None]:
        """Why each of these could not be started now if those before it were; None where it could.

        Told to people: which labels nobody offers, or that all who do are busy. That `capacity` is used up is no obstacle.
        """

    def start(self, claims: Sequence[Claim]) -> None:
        """Begin attempts. Never raises for one that cannot be started: that is its outcome."""

    def ask_stop(self, run_id: str, cause: StopCause) -> bool:
        """Have a run's attempt stopped. False if it is not going on here (it has finished, or never came)."""

    def take_finished(self) -> list[Finished]:
        """Attempts that are over and were not taken before."""

    def take_delivered(self) -> list[Delivered]:
        """Stops that have reached the work since the last call."""

    def acknowledge(self, finished: Iterable[Finished]) -> None:
        """These are settled in the store: no trace of them is needed after a crash any more."""

    async def adopt(self, left: Sequence[tuple[Run, Task]], holder: str) -> list[Run]:
        """Go on with running attempts of a server that is not there any more, under the same fence; `holder` holds them then.

        Answers those that go on. None do where they could only have run on that server.
        """

    async def abandon(self) -> None:
        """They are somebody else's by now: nothing of them is going on here when this returns, nor told of."""

    async def close(self, timeout_s: float) -> None:
        """Stop all attempts, services before what they depend on, and kill what still runs after `timeout_s`.

        What has to be killed is told by the reason `shutdown_overrun`. What they came to can still be taken.
        """

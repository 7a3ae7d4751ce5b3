"""What every operation is given."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from msgspec import Struct

from rota.bus import Bus
from rota.clock import Clock
from rota.core.errors import Unavailable
from rota.core.run import Run
from rota.core.schedule import Schedule, compile_schedule
from rota.core.task import Task
from rota.ids import Ids
from rota.logs import Growth, RunLogs
from rota.store.database import Database
from rota.vitals import Vitals


async def no_reload() -> dict[str, Any]:
    """Stands where no server runs."""
    raise Unavailable("there is no running server to reload", hint="start it: rota serve")


class LogGrowth(Protocol):
    """What the local runner has."""

    def following(self, run_id: str) -> AbstractContextManager[Growth]:
        """For the time of following the log of a run, which need not have begun."""


class Rota(Struct, kw_only=True):
    """The parts behind every surface.

    growth  tells followers that a log has grown; None where no run is carried out
    reload  reads the settings again, all or nothing; its answer is told to the asker
    info    facts about this server that anyone with a key may know, beside version and start
    """

    database: Database
    clock: Clock
    ids: Ids
    bus: Bus
    logs: RunLogs
    vitals: Vitals
    default_timezone: str = "UTC"
    growth: LogGrowth | None = None
    reload: Callable[[], Awaitable[dict[str, Any]]] = no_reload
    info: dict[str, Any] = {}

    def schedule_of(self, task: Task) -> Schedule:
        spec = task.spec
        return compile_schedule(
            spec.schedule, dst=spec.policy.dst, anchor_at=task.anchor_at, default_timezone=self.default_timezone
        )

    def tell_run(self, kind: str, run: Run, task: Task) -> None:
        """Notify whoever watches. A notice carries what is needed to decide who may see it."""
        self.bus.publish(kind, {"run": run, "owner_id": task.owner_id, "task_id": task.id})

    def tell_task(self, kind: str, task: Task) -> None:
        self.bus.publish(kind, {"task": task, "owner_id": task.owner_id, "task_id": task.id})

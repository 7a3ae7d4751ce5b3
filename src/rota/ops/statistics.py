"""How runs went, in numbers."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from rota.core.actor import OPERATOR, Actor
from rota.core.states import FAILURES, SUCCESSES
from rota.ops import access
from rota.ops.context import Rota
from rota.store import occurrences, statistics, tasks
from rota.store.database import Connection
from rota.store.occurrences import Order, Wanted

MOST_TASKS = 10_000


class RunSummary(Struct, frozen=True, kw_only=True):
    """Each attempt is counted as a run. `last_failure` is when the newest of them failed."""

    total: int
    success: int
    failed: int
    missed: int
    last_failure: datetime | None = None


class Active(Struct, frozen=True, kw_only=True):
    """A task by name, its live runs, and those that wait."""

    task: str
    kind: Literal["task", "service"]
    running: int
    waiting: int


async def summarize_runs(rota: Rota, actor: Actor) -> RunSummary:
    """Of the actor's own tasks; for the operator, of the installation's."""

    def read(c: Connection) -> RunSummary:
        owner_id = access.owner_of(actor)
        counts = statistics.count_occurrences_by_state(c, owner_id)
        return RunSummary(
            total=counts.total(),
            success=sum(counts[state] for state in SUCCESSES),
            failed=sum(counts[state] for state in FAILURES),
            missed=counts["missed"],
            last_failure=_last_failure(c, owner_id),
        )

    return await rota.database.read(read)


async def find_last_failure(rota: Rota) -> datetime | None:
    """When a run of the installation's tasks last failed."""
    return await rota.database.read(lambda c: _last_failure(c, access.owner_of(OPERATOR)))


async def count_active(rota: Rota) -> list[Active]:
    """All tasks of the installation, by name."""

    def read(c: Connection) -> list[Active]:
        live = statistics.count_live_by_task(c)
        found = tasks.list_tasks(c, owner_id=None, limit=MOST_TASKS)
        return sorted(
            (_active(task.name, task.is_service, *live.get(task.id, (0, 0))) for task in found), key=lambda each: each.task
        )

    return await rota.database.read(read)


def _active(name: str, is_service: bool, running: int, waiting: int) -> Active:
    return Active(task=name, kind="service" if is_service else "task", running=running, waiting=waiting)


def _last_failure(c: Connection, owner_id: str | None) -> datetime | None:
    failed = Wanted(owner_id=owner_id, states=tuple((state, None) for state in sorted(FAILURES)))
    newest = occurrences.list_occurrences(c, failed, Order(), 1)
    return newest[0].ended_at if newest else None

"""The tasks and runs of agents, as lists with totals; each attempt is a run of its own. Root sees those of all agents."""

from datetime import datetime
from typing import NamedTuple

from rota.core.actor import Actor
from rota.core.errors import NotFound
from rota.core.occurrence import Occurrence
from rota.core.states import FAILURES, STOPS, SUCCESSES, State
from rota.core.task import Status
from rota.ops import access
from rota.ops.context import Rota
from rota.store import occurrences, statistics, tasklist, tasks
from rota.store.database import Connection
from rota.store.occurrences import Order, Wanted
from rota.store.statistics import Went
from rota.store.tasklist import Asked, TaskPage

NEWEST_FIRST = Order()


class AttemptPage(NamedTuple):
    """A part of a list, and how long that is."""

    items: list[Occurrence]
    total: int


async def list_tasks(
    rota: Rota,
    actor: Actor,
    *,
    owner_id: str | None = None,
    status: Status | None = None,
    schedule_kinds: tuple[str, ...] | None = None,
    limit: int,
    offset: int = 0,
) -> TaskPage:
    """Newest first. Another's tasks are none for who is not root."""
    whose = owner_id if actor.is_root else actor.id
    if owner_id not in (None, whose):
        return TaskPage([], 0)
    asked = Asked(owner_id=whose, status=status, schedule_kinds=schedule_kinds)
    return await rota.database.read(lambda c: tasklist.page_tasks(c, asked, limit, offset))


async def list_attempts(
    rota: Rota,
    actor: Actor,
    *,
    task_id: str | None = None,
    success: bool | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
    offset: int = 0,
) -> AttemptPage:
    """Newest first. Raises NotFound for a task that the actor may not see."""

    def read(c: Connection) -> AttemptPage:
        if task_id is not None:
            access.get_task(c, actor, task_id)
        wanted = Wanted(
            owner_id=None if actor.is_root else actor.id,
            by_agents=actor.is_root,
            task_ids=None if task_id is None else (task_id,),
            states=_states(success),
            created=(since, until),
        )
        found = occurrences.list_occurrences(c, wanted, NEWEST_FIRST, limit, offset)
        return AttemptPage(found, occurrences.count_occurrences(c, wanted))

    return await rota.database.read(read)


async def get_attempt(rota: Rota, actor: Actor, attempt_id: str) -> Occurrence:
    """Raises NotFound."""

    def read(c: Connection) -> Occurrence:
        found = occurrences.find_occurrence(c, attempt_id)
        task = tasks.find_task(c, found.run.task_id) if found else None
        if found is None or task is None or task.status == "removed" or not actor.may_see(found.run.owner_id):
            raise NotFound(f"there is no run {attempt_id}")
        return found

    return await rota.database.read(read)


async def find_latest(rota: Rota, actor: Actor, task_id: str) -> Occurrence | None:
    """The newest attempt of a task. Raises NotFound."""
    page = await list_attempts(rota, actor, task_id=task_id, limit=1)
    return page.items[0] if page.items else None


async def summarize(rota: Rota, actor: Actor, since: datetime, task_id: str | None = None) -> Went:
    """How attempts went since then: of one task, or of all that the actor may see. Raises NotFound."""

    def read(c: Connection) -> Went:
        if task_id is not None:
            access.get_task(c, actor, task_id)
            return statistics.count_attempts(c, since, task_id=task_id)
        return statistics.count_attempts(c, since, owner_id=None if actor.is_root else actor.id)

    return await rota.database.read(read)


def _states(success: bool | None) -> tuple[tuple[State, tuple[str, ...] | None], ...] | None:
    if success is None:
        return None
    return tuple((state, None) for state in sorted(SUCCESSES if success else FAILURES | STOPS))

"""Tasks of modules by number: whose they are, how they stand, what their last run wrote."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from rota.core.actor import Actor
from rota.core.errors import Forbidden, NotFound
from rota.core.run import Run
from rota.core.schedule import occurrences
from rota.core.task import Task
from rota.logs import LogReader
from rota.ops import openlogs
from rota.ops.context import Rota
from rota.store import latest, modulestate, numbered, tasks, users
from rota.store.database import Connection
from rota.store.latest import NEVER, Latest
from rota.store.numbered import Numbered
from rota.store.users import User

# own     the owner's alone · ruled  the owner's and root's · any  whoever may have such tasks at all
Reach = Literal["own", "ruled", "any"]


class Shown(Struct, frozen=True, kw_only=True):
    """A task with all that is known of it.

    owner       there as long as the user's row is
    state       what the module keeps
    planned_at  when its schedule next starts it: the hour that a clock change repeats starts nothing twice
    """

    number: int
    task: Task
    owner: User | None
    frontend_prefs: dict[str, Any]
    latest: Latest
    state: dict[str, Any]
    planned_at: datetime | None

    @property
    def next_run_at(self) -> datetime | None:
        """When it starts at the earliest; None while it runs, and where nothing is planned."""
        if self.latest.is_live:
            return None
        waiting = self.latest.waiting
        if waiting is not None:
            return waiting.nominal_at or waiting.due_at
        return self.planned_at if self.task.status == "active" else None


class Page(NamedTuple):
    """A part of a list, and how long that is."""

    items: list[Shown]
    total: int


async def list_tasks(rota: Rota, actor: Actor, *, limit: int, offset: int) -> Page:
    """The actor's own, the newest first; root sees no others here either. Needs `system.task`."""
    actor.require("system.task")

    def read(c: Connection) -> Page:
        page = numbered.page_numbered(c, actor.id, limit, offset)
        return Page(show_all(c, rota, page), numbered.count_numbered(c, actor.id))

    return await rota.database.read(read)


async def get_task(rota: Rota, actor: Actor, number: int) -> Shown:
    """Raises Forbidden without `system.task`, and NotFound for what is not the actor's own."""
    return await rota.database.read(lambda c: show(c, rota, find(c, actor, number, "own")))


async def open_log(rota: Rota, actor: Actor, number: int) -> LogReader | None:
    """The log of the last run, None before the first one. Raises Forbidden also for another's task, and NotFound."""

    def read(c: Connection) -> tuple[Task, Run | None]:
        found = find(c, actor, number, "ruled")
        return tasks.get_task(c, found.task_id), latest.find_latest(c, found.task_id).run

    task, run = await rota.database.read(read)
    return None if run is None else await openlogs.open_log(rota, run, task.name)


def find(c: Connection, actor: Actor, number: int, reach: Reach) -> Numbered:
    """Raises Forbidden without `system.task`, and where the actor may know of a task and not have it; NotFound."""
    actor.require("system.task")
    found = numbered.find_numbered(c, number)
    is_own = found is not None and found.owner_id == actor.id
    if found is None or (reach == "own" and not is_own):
        raise NotFound(f"there is no task {number}")
    if reach == "ruled" and not is_own and not actor.is_root:
        raise Forbidden(f"task {number} is another's")
    return found


def show(c: Connection, rota: Rota, found: Numbered) -> Shown:
    return show_all(c, rota, [found])[0]


def show_all(c: Connection, rota: Rota, page: Sequence[Numbered]) -> list[Shown]:
    """As many queries for a hundred as for one."""
    ids = [each.task_id for each in page]
    stored, runs, states = tasks.get_tasks(c, ids), latest.list_latest(c, ids), modulestate.list_states(c, ids)
    owners = users.get_users(c, {each.owner_id for each in page})
    return [
        Shown(
            number=each.number,
            task=stored[each.task_id],
            owner=owners.get(each.owner_id),
            frontend_prefs=each.frontend_prefs,
            latest=runs.get(each.task_id, NEVER),
            state=states.get(each.task_id, {}),
            planned_at=_planned_at(rota, stored[each.task_id]),
        )
        for each in page
    ]


def _planned_at(rota: Rota, task: Task) -> datetime | None:
    """The next slot may be one that is only recorded."""
    if task.next_at is None or task.spec.policy.dst.interval != "wall":
        return task.next_at
    following = occurrences(rota.schedule_of(task), task.next_at - timedelta(microseconds=1), 1)
    return following[0].at if following else None

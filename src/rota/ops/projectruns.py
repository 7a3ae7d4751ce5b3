"""Runs of projects: read, changed by their workers, held to their schema, cancelled. Every transition goes through `_move`."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import UNSET, Struct, UnsetType
from msgspec.json import encode
from msgspec.structs import replace

from rota.core.actor import Actor
from rota.core.artifact import Artifact
from rota.core.errors import Conflict, Invalid, NotFound
from rota.core.outcome import Outcome
from rota.core.projectrun import (
    STOPPED,
    TERMINAL,
    Environment,
    ProjectRun,
    Status,
    change_state,
    merge_output,
    replace_output,
)
from rota.core.projecttask import ProjectTask
from rota.core.run import Run
from rota.core.task import Task
from rota.ops import ends, outside
from rota.ops.context import Rota
from rota.ops.outside import Done
from rota.ops.projecttasks import get_visible_task
from rota.store import artifacts, leases, projectruns, runs, tasks
from rota.store.database import Connection
from rota.store.projectruns import Page
from rota.store.projects import Project
from rota.tools.misfit import find_misfit

# Of a state or an output, as JSON.
MOST_TOLD_BYTES = 10 * 1024 * 1024
TOO_LOCAL = "Only cloud runs can be cancelled"


class OutputRefused(Invalid):
    """An output that does not fit the schema of its task."""


class Place(NamedTuple):
    """Which run is meant, and who asks."""

    actor: Actor
    project: Project
    task_id: str
    run_id: str


class Found(NamedTuple):
    """A run with its task, as the project and as the engine know it."""

    run: ProjectRun
    about: ProjectTask
    task: Task


class Change(Struct, frozen=True, kw_only=True):
    """What a client tells of a run (§8.3); UNSET: nothing. Every other value counts."""

    status: Status | UnsetType = UNSET
    branch: str | UnsetType | None = UNSET
    stage: str | UnsetType | None = UNSET
    error_message: str | UnsetType | None = UNSET
    output: Any = UNSET
    state: Mapping[str, Any] = {}
    state_remove_keys: tuple[str, ...] = ()
    state_append: Mapping[str, Any] = {}
    environment: Environment | UnsetType = UNSET


class Moved(NamedTuple):
    """A run after a transition; `done` if it was settled, `taken` if a worker has it now, `halts` if work here is to end."""

    run: ProjectRun
    done: Done | None = None
    taken: Run | None = None
    halts: bool = False


async def list_runs(rota: Rota, actor: Actor, project: Project, task_id: str, *, limit: int, offset: int) -> Page:
    """Newest first. Raises NotFound."""

    def read(c: Connection) -> Page:
        get_visible_task(c, actor, project, task_id)
        return projectruns.page_project_runs(c, task_id, limit, offset)

    return await rota.database.read(read)


async def get_run(rota: Rota, place: Place) -> ProjectRun:
    """Raises NotFound."""
    return (await rota.database.read(lambda c: find(c, place))).run


async def list_manifests(rota: Rota, found: Sequence[ProjectRun]) -> dict[str, list[Artifact]]:
    """The artifacts of these runs, which the asker has been shown, by run."""
    return await rota.database.read(lambda c: artifacts.list_manifests(c, [run.id for run in found]))


def find(c: Connection, place: Place, *, for_update: bool = False) -> Found:
    """The run, if the actor may see its task. Raises NotFound."""
    about = get_visible_task(c, place.actor, place.project, place.task_id)
    run = projectruns.find_project_run(c, place.task_id, place.run_id, for_update=for_update)
    if run is None:
        raise NotFound(f"there is no run {place.run_id} of this task")
    return Found(run, about, tasks.get_task(c, place.task_id))


async def update_run(rota: Rota, place: Place, change: Change) -> ProjectRun:
    """Take over what a worker or client tells; a sign of life too. A run that is over stays as it is. Raises NotFound."""
    return await _changed(rota, place, lambda c, found, now: _apply(c, rota, place, found, change, now))


async def set_output(rota: Rota, place: Place, output: Any) -> ProjectRun:
    """The final output of a run, which completes it if its task has a schema. A run that is over stays as it is.

    Raises NotFound, and OutputRefused for what does not fit the schema.
    """
    about = (await rota.database.read(lambda c: find(c, place))).about
    if about.json_schema is not None:  # what judges schemas takes its time
        await asyncio.to_thread(_check_output, about.json_schema, output)

    def apply(c: Connection, found: Found, now: datetime) -> Moved:
        if found.about.json_schema != about.json_schema:
            raise Conflict("the schema of the task was changed at this moment", hint="try again")
        told = replace(found.run, told_output=replace_output(found.run.output, output), told_at=now)
        return _move(c, rota, place, found._replace(run=told), "completed" if about.json_schema is not None else None, now)

    return await _changed(rota, place, apply)


async def cancel_run(rota: Rota, place: Place, reason: str | None) -> tuple[ProjectRun, bool]:
    """Ask a cloud run to end, and say whether that was accepted: False for one that is over already.

    What nobody has is over at once; a worker from outside has a minute to obey. Raises NotFound, Conflict for a local run.
    """
    now = rota.clock.now()

    def write(c: Connection) -> tuple[ProjectRun, Task, Run | None]:
        run, _, task = find(c, place, for_update=True)
        if run.is_over:
            return run, task, None
        if run.environment == "local":
            raise Conflict(TOO_LOCAL)
        told = {"cancel_requested_at": now.isoformat(), "cancel_source": "api", "cancel_reason": reason or STOPPED}
        state = run.told_state if "cancel_requested_at" in run.told_state else {**run.told_state, **told}
        asked = runs.request_stop(c, run.id, "cancel", now) or run.run
        after = replace(run, run=asked, told_state=state, told_at=now)
        projectruns.put_project_run(c, after)
        ends.publish(c, rota, task, [asked] if asked.ended_at else [], now)
        return after, task, asked

    run, task, asked = await rota.database.write(write)
    if asked is None:
        return run, False
    rota.bus.wake("dispatcher")
    ends.tell(rota, task, [asked] if asked.ended_at else [])
    tell_followers(rota, run.id)
    return run, True


def tell_followers(rota: Rota, run_id: str) -> None:
    """Let those who read a run's stream look at it."""
    if rota.growth is not None:
        rota.growth.notify(run_id)


async def _changed(rota: Rota, place: Place, apply: Callable[[Connection, Found, datetime], Moved]) -> ProjectRun:
    """One transaction that changes a run which is not over, and what follows."""
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Moved, Task]:
        found = find(c, place, for_update=True)
        return (Moved(found.run) if found.run.is_over else apply(c, found, now)), found.task

    moved, task = await rota.database.write(write)
    _tell(rota, moved, task)
    return moved.run


def _tell(rota: Rota, moved: Moved, task: Task) -> None:
    if moved.taken is not None:
        rota.bus.wake("expirer")
        rota.tell_run("run.started", moved.taken, task)
    if moved.halts:
        rota.halt(moved.run.id)
    if moved.done is not None:
        outside.tell_done(rota, moved.done)
    tell_followers(rota, moved.run.id)


def _check_told(told: ProjectRun) -> None:
    """What grows with every change is bounded: a list shows a hundred of them."""
    for name, document in (("state", told.told_state), ("output", told.told_output)):
        if len(encode(document)) > MOST_TOLD_BYTES:
            raise Invalid.at(f"body.{name}", f"Ensure this field has no more than {MOST_TOLD_BYTES} bytes.")


def _apply(c: Connection, rota: Rota, place: Place, found: Found, change: Change, now: datetime) -> Moved:
    run = found.run
    told = replace(
        run,
        told_at=now,
        branch=run.branch if change.branch is UNSET else change.branch,
        stage=run.stage if change.stage is UNSET else change.stage,
        told_error=run.told_error if change.error_message is UNSET else change.error_message,
        told_output=run.told_output if change.output is UNSET else _merged(run.told_output, change.output),
        told_state=change_state(run.told_state, change.state, change.state_remove_keys, change.state_append),
    )
    _check_told(told)
    status = None if change.status is UNSET else change.status
    if change.environment == "local" and run.environment == "cloud" and status not in TERMINAL:
        return _bring_home(c, rota, place, found._replace(run=replace(told, environment="local")), status, now)
    return _move(c, rota, place, found._replace(run=told), status, now)


def _merged(before: Any, given: Any) -> Any:
    """As PATCH has it: null takes the place too."""
    return None if given is None else merge_output(before, given)


def _bring_home(c: Connection, rota: Rota, place: Place, found: Found, status: Status | None, now: datetime) -> Moved:
    """A cloud run that goes on at its user's: what works on it here is to end, and what waits here waits for the user."""
    run, _, task = found
    if not run.is_here:
        leases.offer(c, run.id)
        return _move(c, rota, place, found, status, now)
    taken = outside.take_over(c, run.run, task, place.actor.id, _silence_s(rota, place), now)
    moved = _move(c, rota, place, found._replace(run=replace(run, run=taken)), status, now)
    return moved._replace(halts=True, taken=taken)


def _move(c: Connection, rota: Rota, place: Place, found: Found, status: Status | None, now: datetime) -> Moved:
    """The one way from status to status. What is told is written with it; None: it stays where it is."""
    run, _, task = found
    if status in TERMINAL:
        done = outside.finish(c, rota, run.run, task, _outcome(run, status), now)
        after = replace(run, run=done.run, told_status=None)
        projectruns.put_project_run(c, after)
        return Moved(after, done)
    taken = None
    if status == "in_progress" and run.run.state == "pending":
        taken = leases.take(c, run.id, place.actor.id, now)
    if taken is not None:
        outside.hold(c, taken, task, _silence_s(rota, place), now)
        after = replace(run, run=taken, told_status=None)
    else:
        outside.renew(c, run.run, task, now)
        after = run if status is None else replace(run, told_status=status)
    projectruns.put_project_run(c, after)
    return Moved(after, taken=taken)


def _outcome(run: ProjectRun, status: Status | None) -> Outcome:
    """None that is tried again: it is its client that says so."""
    if status == "completed":
        return Outcome(state="succeeded", output=run.told_output)
    if status == "failed":
        return Outcome(state="failed", error=run.told_error, output=run.told_output, final=True)
    return Outcome(state="canceled", error=run.told_error or STOPPED, output=run.told_output)


def _silence_s(rota: Rota, place: Place) -> float:
    return rota.settings.project(place.project.id).lease


def _check_output(schema: Any, output: Any) -> None:
    problem = find_misfit(schema, output)
    if problem is not None:
        raise OutputRefused(f"Output validation error: {problem}")

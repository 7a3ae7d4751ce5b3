"""Deleting what has ended, undoing that, and the other things done to many at once."""

from rota.core.actor import Actor
from rota.core.errors import Conflict
from rota.core.run import Run
from rota.core.task import Task
from rota.ops import access, ends, occurrences
from rota.ops.context import Rota
from rota.ops.occurrences import Selection
from rota.ops.tasks import RECALL
from rota.store import deletion, outbox, runs, tasks
from rota.store import occurrences as stored
from rota.store.database import Connection
from rota.store.occurrences import Key
from rota.store.runs import NewRun


async def delete_selected(rota: Rota, actor: Actor, selection: Selection) -> int:
    """Hide those that are over, at once; for seven seconds they can be restored. Returns how many."""
    now = rota.clock.now()

    def write(c: Connection) -> list[Key]:
        keys = occurrences.select(c, actor, selection)
        hidden = {each for each, _ in deletion.hide(c, [key.id for key in keys], now)}
        return [key for key in keys if key.id in hidden]

    gone = await rota.database.write(write)
    rota.bus.wake("pruner")
    for key in gone:
        about = {"run_id": key.id, "owner_id": access.owner_of(actor), "task_id": key.task_id}
        rota.bus.publish("run.deleted", about)
    return len(gone)


async def delete_occurrence(rota: Rota, actor: Actor, occurrence_id: str, *, task: str | None = None) -> None:
    """Raises NotFound, and Conflict for one that is not over."""
    shown = await occurrences.get_occurrence(rota, actor, occurrence_id, task=task)
    if not shown.occurrence.is_over:
        raise Conflict("the run is active; stop it first")
    await delete_selected(rota, actor, Selection(ids=(occurrence_id,)))


async def delete_run(rota: Rota, actor: Actor, run_id: str) -> None:
    """Remove a run, whatever it is doing: it is asked to end, and nobody is told of it any more. Raises NotFound."""
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Task, list[Run]]:
        run, task = access.get_run(c, actor, run_id)
        outbox.drop_callbacks(c, [run.id], now)
        asked = runs.request_stop(c, run.id, "cancel", now)
        ended = [asked] if asked is not None and asked.ended_at is not None else []
        ends.publish(c, rota, task, ended, now)
        deletion.hide_run(c, run.id, now)
        return task, ended

    task, ended = await rota.database.write(write)
    for loop in ("dispatcher", "pruner", *RECALL):
        rota.bus.wake(loop)
    ends.tell(rota, task, ended)
    rota.bus.publish("run.deleted", {"run_id": run_id, "owner_id": actor.id, "task_id": task.id})


async def restore_selected(rota: Rota, actor: Actor, selection: Selection) -> int:
    """Bring back what was deleted in the last seven seconds. Returns how many."""
    since = rota.clock.now() - deletion.UNDO

    def write(c: Connection) -> list[tuple[Run, Task]]:
        keys = occurrences.select(c, actor, selection, deleted_since=since)
        back = deletion.bring_back(c, [key.id for key in keys], since)
        found = runs.get_runs(c, {run_id for _, run_id in back})
        owners = tasks.get_tasks(c, {run.task_id for run in found})
        by_id = {run.id: (run, owners[run.task_id]) for run in found}
        return [by_id[run_id] for _, run_id in back]

    back = await rota.database.write(write)
    for run, task in back:
        rota.tell_run("run.restored", run, task)
    return len(back)


async def stop_selected(rota: Rota, actor: Actor, selection: Selection) -> int:
    """Ask those that are not over to end. Returns how many were asked."""
    now = rota.clock.now()

    def write(c: Connection) -> list[tuple[Run, Task]]:
        live = stored.list_live_runs(c, occurrences.select(c, actor, selection))
        asked = [run for run_id in live if (run := runs.request_stop(c, run_id, "stop", now))]
        owners = tasks.get_tasks(c, {run.task_id for run in asked})
        for run in asked:
            ends.publish(c, rota, owners[run.task_id], [run] if run.ended_at else [], now)
        return [(run, owners[run.task_id]) for run in asked]

    asked = await rota.database.write(write)
    rota.bus.wake("dispatcher")
    for run, task in asked:
        ends.tell(rota, task, [run] if run.ended_at else [])
    return len(asked)


async def rerun_selected(rota: Rota, actor: Actor, selection: Selection) -> list[tuple[Run, Task]]:
    """Start each selected task once more, with exactly the params of its newest selected run.

    Services, tasks that are not active, and those that may not be started by hand are left out.
    """
    now = rota.clock.now()

    def write(c: Connection) -> list[tuple[Run, Task]]:
        newest = {key.task_id: key.run_id for key in reversed(occurrences.select(c, actor, selection))}
        owners = tasks.get_tasks(c, newest)
        replayed = {run.task_id: run for run in runs.get_runs(c, newest.values())}
        again = [task for task in owners.values() if _may_rerun(task) and task.id in replayed]
        made = [NewRun.of(task, rota.ids.new(), "api", now, params=replayed[task.id].params, actor_id=actor.id) for task in again]
        runs.insert_runs(c, made)
        return [(new.run, task) for new, task in zip(made, again, strict=True)]

    started = await rota.database.write(write)
    rota.bus.wake("dispatcher")
    for run, task in started:
        rota.tell_run("run.created", run, task)
    return started


def _may_rerun(task: Task) -> bool:
    return not task.is_service and task.status == "active" and task.spec.api_trigger

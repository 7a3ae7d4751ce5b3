"""Services: start, stop, restart, and how they are doing."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from rota.core.actor import Actor
from rota.core.errors import Conflict, Invalid
from rota.core.rollup import ServiceStatus, SlotStatus, roll_up, slot_state
from rota.core.run import Run
from rota.core.service import Instance
from rota.core.task import Task
from rota.ops import access, ends
from rota.ops.context import Rota
from rota.ops.tasks import drop_waiting, stop_live
from rota.store import instances, runs, tasks
from rota.store.database import Connection

Steer = Callable[[Connection, Rota, Task, datetime], list[Run]]


async def start_service(rota: Rota, actor: Actor, reference: str) -> Task:
    """Start a service that was stopped, never started, or has instances that gave up; one that runs is left alone.

    Raises NotFound, Invalid for a task that is no service, Conflict if it was canceled.
    """
    return await _steer(rota, actor, reference, _start)


async def stop_service(rota: Rota, actor: Actor, reference: str) -> Task:
    """Stop all instances; the service stays stopped until somebody starts it, also over a restart of the server.

    Raises as start_service does.
    """
    return await _steer(rota, actor, reference, _stop)


async def restart_service(rota: Rota, actor: Actor, reference: str) -> Task:
    """Stop what runs and start it anew at once: no delay, nothing counted against it. Starts a stopped service too.

    Raises as start_service does.
    """
    return await _steer(rota, actor, reference, _restart)


async def get_service_status(rota: Rota, actor: Actor, reference: str) -> ServiceStatus:
    """Raises NotFound, and Invalid for a task that is no service."""

    def read(c: Connection) -> ServiceStatus:
        task = _get_service(c, actor, reference)
        return _statuses(c, [task])[task.id]

    return await rota.database.read(read)


async def list_service_states(rota: Rota, actor: Actor) -> dict[str, ServiceStatus]:
    """How all services that the actor may see are doing, by the id of their task."""
    return await rota.database.read(
        lambda c: _statuses(c, [task for task in tasks.list_services(c) if actor.may_see(task.owner_id)])
    )


async def _steer(rota: Rota, actor: Actor, reference: str, steer: Steer) -> Task:
    now = rota.clock.now()

    def write(c: Connection) -> tuple[Task, list[Run]]:
        task = _get_service(c, actor, reference)
        if task.status == "canceled":
            raise Conflict(f"the service {task.name} was canceled for good", hint="create a new one")
        ended = steer(c, rota, task, now)
        return tasks.get_task(c, task.id), ended

    task, ended = await rota.database.write(write)
    for loop in ("dispatcher", "supervisor"):
        rota.bus.wake(loop)
    ends.tell(rota, task, ended)
    rota.tell_task("task.changed", task)
    return task


def _get_service(c: Connection, actor: Actor, reference: str) -> Task:
    task = access.get_task(c, actor, reference)
    if not task.is_service:
        raise Invalid.at("path.task", f"{task.name} is not a service")
    return task


def _start(c: Connection, rota: Rota, task: Task, now: datetime) -> list[Run]:
    """What an operator starts is his run, not our own: whatever is not up now."""
    if tasks.update_status(c, task.id, "active", from_=["paused"], now=now):
        _forget(c, task, asked=True)
    else:
        gave_up = [instance for instance in instances.list_instances(c, task.id) if instance.fatal or instance.done]
        instances.upsert_instances(c, [Instance(task_id=task.id, number=each.number, asked=True) for each in gave_up])
    return []


def _stop(c: Connection, rota: Rota, task: Task, now: datetime) -> list[Run]:
    tasks.update_status(c, task.id, "paused", from_=["active"], now=now)
    return drop_waiting(c, rota, task, "task_paused", now) + stop_live(c, rota, task, "stop", now)


def _restart(c: Connection, rota: Rota, task: Task, now: datetime) -> list[Run]:
    was_stopped = tasks.update_status(c, task.id, "active", from_=["paused"], now=now)
    _forget(c, task, asked=was_stopped)
    return stop_live(c, rota, task, "replaced", now)


def _forget(c: Connection, task: Task, *, asked: bool) -> None:
    """Whatever is counted against its instances."""
    instances.delete_instances(c, task.id, 0)
    if asked and task.spec.service is not None:
        numbers = range(task.spec.service.instances)
        instances.upsert_instances(c, [Instance(task_id=task.id, number=number, asked=True) for number in numbers])


def _statuses(c: Connection, services: Iterable[Task]) -> dict[str, ServiceStatus]:
    listed = list(services)
    remembered = {(each.task_id, each.number): each for each in instances.list_instances(c, None)}
    live = {(run.task_id, run.instance): run for run in runs.list_live(c, [task.id for task in listed])}
    return {task.id: _status(task, remembered, live) for task in listed}


def _status(
    task: Task, remembered: Mapping[tuple[str, int], Instance], live: Mapping[tuple[str, int | None], Run]
) -> ServiceStatus:
    wanted = task.status == "active"
    numbers = range(task.spec.service.instances if task.spec.service else 0)
    known = [remembered.get((task.id, number)) or Instance(task_id=task.id, number=number) for number in numbers]
    slots = [_slot(wanted, instance, live.get((task.id, instance.number))) for instance in known]
    return ServiceStatus(state=roll_up(wanted, [slot.state for slot in slots]), slots=slots)


def _slot(is_wanted: bool, instance: Instance, run: Run | None) -> SlotStatus:
    is_running = run is not None and run.state == "running"
    return SlotStatus(
        number=instance.number,
        state=slot_state(is_wanted=is_wanted, is_running=is_running, is_fatal=instance.fatal, is_done=instance.done),
        run_id=run.id if run else None,
        start_at=instance.start_at if is_wanted and run is None else None,
        restarts=instance.restarts,
        fast_failures=instance.fast_failures,
    )

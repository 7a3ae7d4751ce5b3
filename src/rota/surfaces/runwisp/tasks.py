"""Handlers of tasks and services."""

from rota.core.errors import Forbidden, Invalid, Problem
from rota.core.run import Run
from rota.core.task import Task
from rota.core.ulid import to_ulid
from rota.http.reply import Reply, created, ok
from rota.http.routes import Ask
from rota.ops import occurrences, services, starts, tasks
from rota.ops.runs import wait_admission
from rota.surfaces.runwisp import translate, wire
from rota.surfaces.runwisp.asking import task_of
from rota.surfaces.runwisp.errors import NotThat


async def list_tasks(ask: Ask) -> Reply:
    rota = ask.rota
    found = await tasks.list_own_tasks(rota, ask.actor)
    return ok([translate.task_wire(task, rota.files_of(task.name), rota.default_timezone) for task in found])


async def start_task(ask: Ask) -> Reply:
    name, params = task_of(ask), ask.body.params or {}
    try:
        start = await starts.start_task(ask.rota, ask.actor, name, params)
    except Forbidden:
        raise Forbidden("API triggering disabled for this task") from None
    except Invalid as error:
        raise _with_values(error, params) from None
    shown = await _shown(ask, start.run)
    return created(translate.run_wire(shown, ask.rota.modules), f"{_root(ask)}/api/runs/{to_ulid(start.run.id)}")


async def start_service(ask: Ask) -> Reply:
    task = await _service(ask)
    await services.start_service(ask.rota, ask.actor, task.id)
    return ok(wire.Message(f"service {task.name} started"))


async def stop_service(ask: Ask) -> Reply:
    task = await _service(ask)
    await services.stop_service(ask.rota, ask.actor, task.id)
    return ok(wire.Message(f"service {task.name} stopped"))


async def restart_service(ask: Ask) -> Reply:
    task = await _service(ask)
    await services.restart_service(ask.rota, ask.actor, task.id)
    return ok(wire.Message(f"service {task.name} restarted"))


async def _service(ask: Ask) -> Task:
    task = await tasks.get_task(ask.rota, ask.actor, task_of(ask))
    if not task.is_service:
        raise NotThat(f"{task.name} is not a service")
    return task


async def _shown(ask: Ask, run: Run) -> occurrences.Shown:
    if ask.query.wait:
        return await occurrences.wait_occurrence(ask.rota, ask.actor, run.id, ask.query.wait_timeout)
    await wait_admission(ask.rota, run.id)
    return await occurrences.get_occurrence(ask.rota, ask.actor, run.id)


def _with_values(error: Invalid, params: dict[str, object]) -> Invalid:
    """The contract's errors show what was given."""
    problems = [
        Problem(problem.location, problem.message, params.get(problem.location.removeprefix("body.params.")))
        for problem in error.problems
    ]
    return Invalid(error.message, problems)


def _root(ask: Ask) -> str:
    return str(ask.scope.get("root_path", ""))

"""Tools for tasks."""

from typing import Any

from msgspec import to_builtins

from rota.core.pipeline.language import StepPreview
from rota.core.task import Task, TaskSpec
from rota.http.paging import Page, decode_cursor, page_of
from rota.ops import forecast, previews, slots, snooze, starts, steering, tasks
from rota.ops.modules import hide_secrets
from rota.surfaces.mcp import wire
from rota.surfaces.mcp.asking import Ask
from rota.surfaces.native import translate
from rota.surfaces.native.wire import Slot


async def create_task(ask: Ask) -> wire.Task:
    return _task(ask, await tasks.create_task(ask.rota, ask.actor, ask.given))


async def update_task(ask: Ask) -> wire.Task:
    given = ask.given
    return _task(ask, await tasks.update_task(ask.rota, ask.actor, given.task, given.change, expected_version=given.version))


async def list_tasks(ask: Ask) -> Page[wire.TaskLine]:
    after, limit = decode_cursor("tasks", ask.given.cursor), ask.given.limit
    found = await tasks.list_tasks(ask.rota, ask.actor, after=after, limit=limit + 1)
    items, cursor = page_of("tasks", found, limit, lambda task: task.id)
    return Page([_line(task) for task in items], cursor)


async def get_task(ask: Ask) -> wire.Task:
    return _task(ask, await tasks.get_task(ask.rota, ask.actor, ask.given.task))


async def delete_task(ask: Ask) -> wire.Removed:
    task = await tasks.get_task(ask.rota, ask.actor, ask.given.task)
    await tasks.delete_task(ask.rota, ask.actor, task.id)
    return wire.Removed(task.id)


async def preview_task(ask: Ask) -> wire.Preview:
    given = ask.given
    planned = await forecast.list_next(ask.rota, ask.actor, given.task, count=given.count, after=None)
    steps = await previews.preview_steps(ask.rota, ask.actor, given.task, given.params)
    shown = None if steps is None else [_step(step) for step in steps]
    return wire.Preview([translate.next_wire(each) for each in planned], shown)


async def run_task(ask: Ask) -> wire.Started:
    given = ask.given
    start = await starts.start_task(ask.rota, ask.actor, given.task, given.params, idempotency_key=given.idempotency_key)
    return wire.Started(translate.run_wire(start.run, ask.rota.modules), start.replayed)


async def snooze_task(ask: Ask) -> wire.Snoozed:
    task, run = await snooze.snooze_task(ask.rota, ask.actor, ask.given.task, ask.given.delay_s, reason=ask.given.reason)
    return wire.Snoozed(_task(ask, task), translate.run_wire(run, ask.rota.modules))


async def pause_task(ask: Ask) -> wire.Task:
    return _task(ask, await steering.pause_task(ask.rota, ask.actor, ask.given.task))


async def resume_task(ask: Ask) -> wire.Task:
    return _task(ask, await steering.resume_task(ask.rota, ask.actor, ask.given.task))


async def cancel_task(ask: Ask) -> wire.Task:
    return _task(ask, await steering.cancel_task(ask.rota, ask.actor, ask.given.task))


async def list_slots(ask: Ask) -> Page[Slot]:
    given = ask.given
    if given.at is not None:
        return Page([translate.slot_wire(await slots.explain_slot(ask.rota, ask.actor, given.task, given.at))])
    before = translate.read_place(decode_cursor("slots", given.cursor))
    found = await slots.list_slots(ask.rota, ask.actor, given.task, before=before, limit=given.limit + 1)
    items, cursor = page_of("slots", found, given.limit, translate.place_of)
    return Page([translate.slot_wire(slot) for slot in items], cursor)


def _task(ask: Ask, task: Task) -> wire.Task:
    return wire.Task(
        id=task.id,
        name=task.name,
        status=task.status,
        source=task.source,
        owner_id=task.owner_id,
        version=task.version,
        created_at=task.created_at,
        updated_at=task.updated_at,
        next_at=task.next_at,
        document=_document(hide_secrets(ask.rota.modules, task.spec)),
    )


def _document(spec: TaskSpec) -> dict[str, Any]:
    """Without the parts in which everything is left to defaults."""
    document: dict[str, Any] = to_builtins(spec)
    document["policy"] = {name: value for name, value in document["policy"].items() if value != {}}
    return {name: value for name, value in document.items() if value != {}}


def _line(task: Task) -> wire.TaskLine:
    spec = task.spec
    return wire.TaskLine(
        id=task.id,
        name=task.name,
        title=spec.title,
        status=task.status,
        executor=_kind(spec.executor),
        schedule=None if spec.schedule is None else _kind(spec.schedule),
        is_service=task.is_service,
        next_at=task.next_at,
        labels=list(spec.labels),
    )


def _step(step: StepPreview) -> wire.PreviewedStep:
    return wire.PreviewedStep(
        id=step.id, uses=step.uses, with_=step.with_, runs=step.runs, waits_for=step.waits_for, problem=step.problem
    )


def _kind(value: object) -> str:
    return str(value.__struct_config__.tag)  # type: ignore[attr-defined]

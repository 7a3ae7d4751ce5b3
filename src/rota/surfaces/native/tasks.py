"""Handlers of tasks."""

from rota.core.task import Task
from rota.http.paging import Page, decode_cursor, page_of
from rota.http.reply import Reply, created, no_content, ok
from rota.http.routes import Ask
from rota.ops import forecast, slots, snooze, starts, steering, tasks
from rota.surfaces.native import translate, wire


async def create_task(ask: Ask) -> Reply:
    task = await tasks.create_task(ask.rota, ask.actor, ask.body)
    return created(translate.task_wire(task, ask.rota.modules), f"/v1/tasks/{task.id}", _etag(task))


async def list_tasks(ask: Ask) -> Reply:
    after, limit = decode_cursor("tasks", ask.query.cursor), ask.query.limit
    found = await tasks.list_tasks(ask.rota, ask.actor, after=after, limit=limit + 1)
    items, cursor = page_of("tasks", found, limit, lambda task: task.id)
    return ok(Page([translate.task_wire(task, ask.rota.modules) for task in items], cursor))


async def get_task(ask: Ask) -> Reply:
    return _reply(ask, await tasks.get_task(ask.rota, ask.actor, ask.path["id"]))


async def update_task(ask: Ask) -> Reply:
    expected = translate.read_version(ask.header(b"if-match"))
    return _reply(ask, await tasks.update_task(ask.rota, ask.actor, ask.path["id"], ask.body, expected_version=expected))


async def delete_task(ask: Ask) -> Reply:
    await tasks.delete_task(ask.rota, ask.actor, ask.path["id"])
    return no_content()


async def start_task(ask: Ask) -> Reply:
    key = ask.header(b"idempotency-key")
    run, replayed = await starts.start_task(ask.rota, ask.actor, ask.path["id"], ask.body.params, idempotency_key=key)
    shown = translate.run_wire(run, ask.rota.modules)
    return ok(shown, ("Idempotency-Replayed", "true")) if replayed else created(shown, f"/v1/runs/{run.id}")


async def pause_task(ask: Ask) -> Reply:
    return _reply(ask, await steering.pause_task(ask.rota, ask.actor, ask.path["id"]))


async def resume_task(ask: Ask) -> Reply:
    return _reply(ask, await steering.resume_task(ask.rota, ask.actor, ask.path["id"]))


async def cancel_task(ask: Ask) -> Reply:
    return _reply(ask, await steering.cancel_task(ask.rota, ask.actor, ask.path["id"]))


async def snooze_task(ask: Ask) -> Reply:
    task, run = await snooze.snooze_task(ask.rota, ask.actor, ask.path["id"], ask.body.delay_s, ask.body.reason)
    return ok(wire.Snoozed(translate.task_wire(task, ask.rota.modules), translate.run_wire(run, ask.rota.modules)))


async def list_next(ask: Ask) -> Reply:
    found = await forecast.list_next(ask.rota, ask.actor, ask.path["id"], count=ask.query.count, after=ask.query.after)
    return ok(wire.NextList([translate.next_wire(planned) for planned in found]))


async def list_slots(ask: Ask) -> Reply:
    if ask.query.at is not None:
        answer = await slots.explain_slot(ask.rota, ask.actor, ask.path["id"], ask.query.at)
        return ok(Page([translate.slot_wire(answer)], None))
    before, limit = translate.read_place(decode_cursor("slots", ask.query.cursor)), ask.query.limit
    found = await slots.list_slots(ask.rota, ask.actor, ask.path["id"], before=before, limit=limit + 1)
    items, cursor = page_of("slots", found, limit, translate.place_of)
    return ok(Page([translate.slot_wire(slot) for slot in items], cursor))


def _reply(ask: Ask, task: Task) -> Reply:
    return ok(translate.task_wire(task, ask.rota.modules), _etag(task))


def _etag(task: Task) -> tuple[str, str]:
    return ("ETag", f'"{task.version}"')

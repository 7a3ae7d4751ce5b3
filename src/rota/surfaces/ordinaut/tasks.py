"""Handlers of tasks."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from msgspec.structs import replace

from rota.core.errors import Conflict, Forbidden, Invalid, NotFound
from rota.core.task import Status, Task
from rota.core.work import Pipeline
from rota.http.reply import Reply, created, no_content, ok
from rota.http.routes import Ask
from rota.ops import agentwork, forecast, revision, snooze, starts, steering, tasks
from rota.ops.context import Rota
from rota.ops.runs import wait_admission
from rota.ops.tasks import nothing_beside
from rota.ops.written import Written, list_written
from rota.surfaces.ordinaut import documents, shape, translate, wire
from rota.surfaces.ordinaut.asking import id_of, read_body, text_or_none
from rota.surfaces.ordinaut.errors import BadRequest
from rota.surfaces.ordinaut.moments import stamp

PREVIEWS = 5


async def create_task(ask: Ask) -> Reply:
    rota = ask.rota
    body, spec = documents.read_task(ask.body, rota.ids.new(), rota.clock.now(), rota.settings.ordinaut)
    owner_id = text_or_none(body.created_by)
    _check_self(ask, owner_id)
    with _in_their_words(owner_id):
        task = await tasks.create_task(rota, ask.actor, spec, owner_id=owner_id, beside=Written(body.payload))
    return created(translate.task_wire(rota, task, body.payload), f"{_root(ask)}/tasks/{task.id}")


async def list_tasks(ask: Ask) -> Reply:
    query = ask.query
    page = await agentwork.list_tasks(
        ask.rota,
        ask.actor,
        owner_id=text_or_none(query.created_by),
        status=query.status,
        schedule_kinds=shape.kinds_stored(query.schedule_kind) if query.schedule_kind else None,
        limit=query.limit,
        offset=query.offset,
    )
    texts = await list_written(ask.rota, page.items)
    items = [translate.task_wire(ask.rota, task, texts.get(task.id)) for task in page.items]
    return ok(wire.TaskPage(items=items, **paging(query, len(items), page.total)))


async def get_task(ask: Ask) -> Reply:
    rota, task = ask.rota, await _task(ask)
    shown = await _shown(rota, task)
    last = await agentwork.find_latest(rota, ask.actor, task.id)
    shown = replace(shown, last_run=None if last is None else translate.run_wire(last, with_errors=False), next_runs=[])
    if task.status != "active":
        return ok(shown)
    planned = await forecast.list_next(rota, ask.actor, task.id, count=PREVIEWS, after=max(rota.clock.now(), task.cursor_at))
    put_off = await snooze.find_put_off(rota, ask.actor, task.id)
    moments = sorted([*(each.at for each in planned), *([put_off.due_at] if put_off else [])])
    following = [stamp(at) for at in moments[:PREVIEWS]]
    return ok(replace(shown, next_runs=following, next_run_at=following[0] if following else shown.next_run_at))


async def update_task(ask: Ask) -> Reply:
    task, rota = await _task(ask), ask.rota
    change = documents.read_change(ask.body, task, rota.clock.now())
    _check_self(ask, change.owner_id)
    with _in_their_words(change.owner_id):
        changed = await revision.revise_task(
            rota,
            ask.actor,
            task.id,
            change.document,
            status=change.status,
            owner_id=change.owner_id,
            beside=nothing_beside if change.payload is None else Written(change.payload),
        )
    return ok(await _shown(rota, changed))


async def delete_task(ask: Ask) -> Reply:
    await tasks.delete_task(ask.rota, ask.actor, (await _task(ask)).id, with_runs=True)
    return no_content()


async def run_task(ask: Ask) -> Reply:
    task, rota = await _task(ask), ask.rota
    _check_active(task, "run")
    run = (await starts.start_task(rota, ask.actor, task.id, {})).run
    skipped = False
    if task.spec.policy.dedupe_key is not None:
        await wait_admission(rota, run.id)
        skipped = (await agentwork.get_attempt(rota, ask.actor, run.id)).state == "skipped"
    message = (
        "Task run skipped: a run with its dedupe key is recent enough" if skipped else "Task scheduled for immediate execution"
    )
    details = {"task_id": task.id, "due_work_id": translate.work_item_id(run.id), "run_id": run.id}
    return ok(wire.Operation(success=not skipped, message=message, details=details))


async def snooze_task(ask: Ask) -> Reply:
    body, task = read_body(ask.body, wire.SnoozeBody), await _task(ask)
    _check_active(task, "snooze")
    details: dict[str, Any] = {
        "task_id": task.id,
        "delay_seconds": body.delay_seconds,
        "affected_work_items": 0,
        "next_run_at": None,
    }
    with suppress(Conflict):  # it has no next occurrence to put off
        _, run = await snooze.snooze_task(ask.rota, ask.actor, task.id, body.delay_seconds, body.reason)
        details |= {"affected_work_items": 1, "next_run_at": stamp(run.due_at)}
    return ok(wire.Operation(message=f"Task snoozed for {body.delay_seconds} seconds", details=details))


async def pause_task(ask: Ask) -> Reply:
    return await _steer(ask, "paused", "paused")


async def resume_task(ask: Ask) -> Reply:
    return await _steer(ask, "active", "resumed")


async def cancel_task(ask: Ask) -> Reply:
    task = await _task(ask)
    removed = 0
    if task.status != "canceled":
        removed = (await steering.steer_task(ask.rota, ask.actor, task.id, "canceled")).dropped
    message = "Task canceled" if task.status != "canceled" else "Task already has status 'canceled'"
    return ok(wire.Operation(message=message, details={"task_id": task.id, "removed_work_items": removed}))


async def _steer(ask: Ask, status: Status, done: str) -> Reply:
    task = await _task(ask)
    if task.status == status:
        details = {"task_id": task.id, "status": status}
        return ok(wire.Operation(message=f"Task already has status '{status}'", details=details))
    steered = await steering.steer_task(ask.rota, ask.actor, task.id, status)
    told = {"task_id": task.id, "old_status": steered.before, "new_status": status, "removed_work_items": steered.dropped}
    return ok(wire.Operation(message=f"Task {done}", details=told))


async def _shown(rota: Rota, task: Task) -> wire.Task:
    return translate.task_wire(rota, task, (await list_written(rota, [task])).get(task.id))


async def _task(ask: Ask) -> Task:
    """The task of the path: a pipeline that the agent may see. Raises NotFound in this API's words."""
    task_id = id_of(ask, "task_id")
    with not_found("Task", task_id):
        task = await tasks.get_task(ask.rota, ask.actor, task_id)
        if not isinstance(task.spec.executor, Pipeline):
            raise NotFound(task_id)
        return task


def paging(query: Any, count: int, total: int) -> dict[str, Any]:
    """What a page says beside its items."""
    more = query.offset + count < total
    return {"total": total, "limit": query.limit, "offset": query.offset, "has_more": more}


@contextmanager
def not_found(what: str, its_id: str) -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise NotFound(f"{what} {its_id} not found") from None


@contextmanager
def _in_their_words(owner_id: str | None) -> Iterator[None]:
    try:
        yield
    except Invalid as error:
        raise documents.in_our_words(error) from None
    except NotFound:
        raise BadRequest(f"Agent {owner_id} not found") from None


def _check_self(ask: Ask, owner_id: str | None) -> None:
    if owner_id not in (None, ask.actor.id) and not ask.actor.is_root:
        raise Forbidden("a task for another agent needs the scope admin")


def _check_active(task: Task, what: str) -> None:
    if task.status != "active":
        raise Conflict(f"Cannot {what} task with status '{task.status}'. Task must be active.")


def _root(ask: Ask) -> str:
    return str(ask.scope.get("root_path", ""))

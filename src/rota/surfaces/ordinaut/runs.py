"""Handlers of runs and their numbers."""

from datetime import timedelta

from rota.core.errors import NotFound
from rota.core.work import Pipeline
from rota.http.reply import Reply, ok
from rota.http.routes import Ask
from rota.ops import agentwork
from rota.ops.tasks import get_task
from rota.surfaces.ordinaut import translate, wire
from rota.surfaces.ordinaut.asking import id_of, text_or_none
from rota.surfaces.ordinaut.moments import read_moment
from rota.surfaces.ordinaut.tasks import not_found, paging


async def list_runs(ask: Ask) -> Reply:
    query, task_id = ask.query, text_or_none(ask.query.task_id)
    since, until = read_moment(query.start_time, "query.start_time"), read_moment(query.end_time, "query.end_time")
    try:
        page = await agentwork.list_attempts(
            ask.rota, ask.actor, task_id=task_id, success=query.success, since=since, until=until, limit=query.limit,
            offset=query.offset,
        )  # fmt: skip
    except NotFound:  # of a task that is not there, there are none
        page = agentwork.AttemptPage([], 0)
    items = [translate.run_wire(each, with_errors=query.include_errors) for each in page.items]
    return ok(wire.RunPage(items=items, **paging(query, len(items), page.total)))


async def get_run(ask: Ask) -> Reply:
    run_id = id_of(ask, "run_id")
    with not_found("Task run", run_id):
        return ok(translate.run_wire(await agentwork.get_attempt(ask.rota, ask.actor, run_id)))


async def get_latest(ask: Ask) -> Reply:
    task_id = await _task_id(ask)
    found = await agentwork.find_latest(ask.rota, ask.actor, task_id)
    return ok(None if found is None else translate.run_wire(found))


async def get_task_stats(ask: Ask) -> Reply:
    task_id, days = await _task_id(ask), ask.query.days
    went = await agentwork.summarize(ask.rota, ask.actor, ask.rota.clock.now() - timedelta(days=days), task_id)
    return ok(translate.task_stats(went, task_id, days))


async def get_summary(ask: Ask) -> Reply:
    days = ask.query.days
    went = await agentwork.summarize(ask.rota, ask.actor, ask.rota.clock.now() - timedelta(days=days))
    return ok(translate.summary(went, days))


async def _task_id(ask: Ask) -> str:
    task_id = id_of(ask, "task_id")
    with not_found("Task", task_id):
        task = await get_task(ask.rota, ask.actor, task_id)
        if not isinstance(task.spec.executor, Pipeline):
            raise NotFound(task_id)
    return task_id

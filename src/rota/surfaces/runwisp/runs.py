"""Handlers of runs: lists, single ones, and many at once."""

from msgspec import structs

from rota.core.errors import Conflict
from rota.core.ulid import to_ulid
from rota.http.reply import Reply, no_content, ok
from rota.http.routes import Ask
from rota.ops import deletion, occurrences, statistics, tasks
from rota.surfaces.runwisp import translate, wire
from rota.surfaces.runwisp.asking import filter_of, order_of, run_of, selection_of, task_of
from rota.surfaces.runwisp.errors import NotThat


async def list_runs(ask: Ask) -> Reply:
    return await _list(ask, filter_of(ask.query))


async def list_task_runs(ask: Ask) -> Reply:
    task = await tasks.get_task(ask.rota, ask.actor, task_of(ask))
    asked = filter_of(ask.query)
    if asked.task not in (None, task.name):
        return ok(wire.RunPage([], 0))
    return await _list(ask, structs.replace(asked, task=task.name))


async def get_run(ask: Ask) -> Reply:
    return ok(_run(ask, await occurrences.get_occurrence(ask.rota, ask.actor, run_of(ask))))


async def get_task_run(ask: Ask) -> Reply:
    return ok(_run(ask, await occurrences.get_occurrence(ask.rota, ask.actor, run_of(ask), task=task_of(ask))))


async def delete_run(ask: Ask) -> Reply:
    await deletion.delete_occurrence(ask.rota, ask.actor, run_of(ask), task=task_of(ask))
    return no_content()


async def stop_run(ask: Ask) -> Reply:
    try:
        await occurrences.stop_occurrence(ask.rota, ask.actor, run_of(ask), task=task_of(ask))
    except Conflict as error:
        raise NotThat(error.message) from None
    return ok(wire.Message("stopping"))


async def summarize_runs(ask: Ask) -> Reply:
    found = await statistics.summarize_runs(ask.rota, ask.actor)
    return ok(wire.Summary(**{name: getattr(found, name) for name in wire.Summary.__struct_fields__}))


async def cancel_selected(ask: Ask) -> Reply:
    return ok(wire.Affected(await deletion.stop_selected(ask.rota, ask.actor, selection_of(ask.body))))


async def delete_selected(ask: Ask) -> Reply:
    return ok(wire.Affected(await deletion.delete_selected(ask.rota, ask.actor, selection_of(ask.body))))


async def restore_selected(ask: Ask) -> Reply:
    return ok(wire.Affected(await deletion.restore_selected(ask.rota, ask.actor, selection_of(ask.body))))


async def rerun_selected(ask: Ask) -> Reply:
    started = await deletion.rerun_selected(ask.rota, ask.actor, selection_of(ask.body))
    return ok(wire.Rerun([wire.Triggered(task.name, to_ulid(run.id)) for run, task in started]))


async def _list(ask: Ask, asked: occurrences.Filter) -> Reply:
    query = ask.query
    page = await occurrences.list_occurrences(ask.rota, ask.actor, asked, order_of(query), limit=query.limit, offset=query.offset)
    return ok(wire.RunPage([_run(ask, shown) for shown in page.items], page.total))


def _run(ask: Ask, shown: occurrences.Shown) -> wire.Run:
    return translate.run_wire(shown, ask.rota.modules)

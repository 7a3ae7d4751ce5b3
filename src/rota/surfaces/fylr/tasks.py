"""Handlers of tasks."""

import re
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

from starlette.types import Scope

from rota.core.actor import Actor
from rota.core.errors import Forbidden, NotFound
from rota.http.reply import Reply, ok
from rota.http.routes import Ask
from rota.ops import modulechanges, moduletasks
from rota.ops.context import Rota
from rota.surfaces.fylr import documents, translate, wire
from rota.surfaces.fylr.errors import generic, not_readable, not_there, not_yours

DIGITS = re.compile(r"[0-9]{1,19}")
LARGEST = 2**63 - 1
# Some tens of megabytes of tasks as people write them.
LONGEST_LIST = 10_000


async def admit(_rota: Rota, actor: Actor, scope: Scope) -> None:
    """The checks of every route, before anything else is read: the right, then the id."""
    actor.require("system.task")
    text = scope["path_params"].get("taskId")
    if text is not None and not (DIGITS.fullmatch(text) and 1 <= int(text) <= LARGEST):
        raise generic("taskId: must be a whole number from 1 on")


async def list_tasks(ask: Ask) -> Reply:
    """The limit is told as it was applied: another one than was asked for only where there is more."""
    limit, offset = page_of(ask.query)
    page = await moduletasks.list_tasks(ask.rota, ask.actor, limit=min(limit, LONGEST_LIST), offset=offset)
    objects = [translate.wrapper(shown) for shown in page.items]
    applied = limit if offset + len(objects) >= page.total else min(limit, LONGEST_LIST)
    return ok(wire.TaskList(limit=applied, offset=offset, count=page.total, objects=objects))


async def create_task(ask: Ask) -> Reply:
    draft = documents.read_new(ask.rota, ask.body.task)
    shown = await modulechanges.create_task(ask.rota, ask.actor, draft.spec, draft.beginning, draft.frontend_prefs)
    return ok(translate.wrapper(shown))


async def list_modules(ask: Ask) -> Reply:
    return ok(wire.Modules([translate.module_wire(each) for each in ask.rota.modules.list()]))


async def get_task(ask: Ask) -> Reply:
    number = number_of(ask)
    try:
        return ok(translate.wrapper(await moduletasks.get_task(ask.rota, ask.actor, number)))
    except NotFound:
        raise not_readable(number) from None


async def update_task(ask: Ask) -> Reply:
    number, body = number_of(ask), ask.body.task
    change = documents.read_change(body)
    version = body.version if isinstance(body.version, int) else None
    try:
        shown = await modulechanges.change_task(ask.rota, ask.actor, number, version, change)
    except NotFound as error:
        raise generic(error.message) from None
    return ok(translate.wrapper(shown))


async def delete_task(ask: Ask) -> Reply:
    return await _acknowledged(ask, modulechanges.delete_task(ask.rota, ask.actor, number_of(ask)))


async def cancel_task(ask: Ask) -> Reply:
    return await _acknowledged(ask, modulechanges.cancel_run(ask.rota, ask.actor, number_of(ask)))


async def _acknowledged(ask: Ask, done: Awaitable[None]) -> Reply:
    with ruled(number_of(ask)):
        await done
    return ok(wire.Acknowledge())


@contextmanager
def ruled(number: int) -> Iterator[None]:
    """What only the owner and root may do: others are told that it is there."""
    try:
        yield
    except NotFound:
        raise not_there(number) from None
    except Forbidden:
        raise not_yours(number) from None


def number_of(ask: Ask) -> int:
    return int(ask.path["taskId"])


def page_of(query: wire.PageQuery) -> tuple[int, int]:
    """Limit and offset. Raises Refused."""
    return _count("limit", query.limit), _count("offset", query.offset)


def _count(name: str, text: str) -> int:
    if not DIGITS.fullmatch(text):
        raise generic(f"{name}: must be a whole number from 0 on")
    return int(text)
